// The page behind the launcher's card: a model to try, the projects, and how to open a file.

import { Widget } from '@lumino/widgets';

import { api } from './api.js';
import { button, element } from './elements.js';
import { source } from './sources.js';

export class StudioHome extends Widget {
  constructor(open, openDialog) {
    super({ node: element('div', 'studio-Home') });
    this._open = open;
    this._openDialog = openDialog;
    this.title.label = 'Studio';
    this.refresh();
  }

  onAfterShow() {
    this.refresh();
  }

  async refresh() {
    try {
      const [about, { projects }] = await Promise.all([api('studio'), api('projects')]);
      this._draw(about, projects);
    } catch (error) {
      this._draw({}, [], error.message);
    }
  }

  _draw({ samples = [], modules = [] }, projects, fault = '') {
    const open = button('Open a model or module …', 'studio-mod-primary', this._openDialog);
    const parts = [
      element('h1', 'studio-Home-title', 'Studio'),
      element('p', 'studio-Home-lead',
        'See what each change to a network costs, and prove it by running the result.'),
      element('p', 'studio-Home-hint', [open, 'or double-click an .onnx, .mlir, .ttir or .ttnn file in the file browser.'])
    ];
    if (fault) parts.push(element('p', 'studio-mod-failed', fault));
    const tries = [...samples.map(s => this._bundled('sample', s)), ...modules.map(m => this._bundled('module', m))];
    if (tries.length) parts.push(section('Try one', tries));
    if (projects.length) parts.push(section('Your projects', projects.map(p => this._project(p))));
    this.node.replaceChildren(element('div', 'studio-Home-page', parts));
  }

  _bundled(kind, card) {
    return this._card(source(kind, card.name, card.title), card.description);
  }

  _project(project) {
    const what = source('project', project.projectId, project.projectName);
    return this._card(what, project.fault ?? project.model?.file ?? '');
  }

  _card(what, text) {
    const parts = [element('strong', '', what.title), element('span', '', text)];
    const card = element('button', 'studio-Card', parts, { click: () => this._open(what) });
    card.type = 'button';
    return card;
  }
}

function section(title, cards) {
  return element('section', '', [element('h2', '', title), element('div', 'studio-Home-cards', cards)]);
}
