// Studio in JupyterLab: a launcher card, file types, "Open with Studio", a sidebar, commands.
//
// Nothing of a model is known here. A tab holds a kernel, in which the same Python shows the
// same widgets as in a notebook's cell (studio_widgets/documents.py).

import { ILayoutRestorer } from '@jupyterlab/application';
import { ICommandPalette, InputDialog, MainAreaWidget, WidgetTracker } from '@jupyterlab/apputils';
import { FileDialog, IDefaultFileBrowser, IFileBrowserFactory } from '@jupyterlab/filebrowser';
import { ILauncher } from '@jupyterlab/launcher';
import { IRenderMimeRegistry } from '@jupyterlab/rendermime';
import { ISettingRegistry } from '@jupyterlab/settingregistry';

import { icon } from './elements.js';
import { addFileTypes, addToolbar, FACTORY } from './files.js';
import { StudioHome } from './home.js';
import { StudioPanel } from './panel.js';
import { StudioSidebar } from './sidebar.js';
import { source } from './sources.js';

const ID = 'studio-workbench:plugin';
const OPENED = /[.](onnx|mlir|ttir|ttnn)$/i;

const plugin = {
  id: ID,
  description: 'Opens neural networks and compiler modules in Studio.',
  autoStart: true,
  requires: [IRenderMimeRegistry],
  optional: [ICommandPalette, ILauncher, IFileBrowserFactory, IDefaultFileBrowser, ILayoutRestorer, ISettingRegistry],
  activate
};

async function activate(app, rendermime, palette, launcher, browsers, browser, restorer, registry) {
  const settings = (await registry?.load(ID).catch(() => null)) ?? null;
  const setting = (name, otherwise) => settings?.get(name).composite ?? otherwise;
  const services = {
    manager: app.serviceManager,
    rendermime,
    kernelName: () => setting('kernelName', '') || undefined,
    openFile: path => app.commands.execute('docmanager:open', { path })
  };
  const documents = new WidgetTracker({ namespace: 'studio-documents' });
  const tabs = new WidgetTracker({ namespace: 'studio-tabs' });
  const factory = addFileTypes(app, services, setting('openModelsByDoubleClick', true));
  factory.widgetCreated.connect((_, widget) => {
    documents.add(widget);
  });

  const openPath = path => app.commands.execute('docmanager:open', { path, factory: FACTORY });
  const openers = {
    home: () => openHome(app, tabs, open),
    path: what => openPath(what.name),
    project: what => openTab(app, tabs, what, services),
    sample: what => openTab(app, tabs, what, services),
    module: what => openTab(app, tabs, what, services)
  };
  const open = what => openers[what.kind](what);
  addCommands(app, { open, openPath, browsers, browser, tabs });

  palette?.addItem({ command: 'studio:home', category: 'Studio' });
  palette?.addItem({ command: 'studio:open-file', category: 'Studio' });
  palette?.addItem({ command: 'studio:show-sidebar', category: 'Studio' });
  launcher?.add({ command: 'studio:home', category: 'Other', rank: 1 });

  const sidebar = new StudioSidebar({
    open, home: () => app.commands.execute('studio:home'),
    events: app.serviceManager.events, seconds: () => setting('refreshSeconds', 10)
  });
  app.shell.add(sidebar, 'left', { rank: 900, type: 'Studio' });
  restorer?.add(sidebar, sidebar.id);
  restore(restorer, documents, tabs);
}

function addCommands(app, { open, openPath, browsers, browser, tabs }) {
  const { commands } = app;
  commands.addCommand('studio:home', {
    label: args => (args.isPalette ? 'Open Studio' : 'Studio'),
    caption: 'Open a neural network or a compiler module',
    icon,
    execute: () => open({ kind: 'home' })
  });
  commands.addCommand('studio:open', {
    label: 'Open in Studio',
    icon,
    execute: ({ kind, name, title }) => open(source(kind, name, title))
  });
  commands.addCommand('studio:open-file', {
    label: 'Open a Model or Module …',
    icon,
    execute: () => askForFile(browser, openPath)
  });
  commands.addCommand('studio:open-selected', {
    label: 'Open with Studio',
    icon,
    execute: () => {
      for (const item of browsers?.tracker.currentWidget?.selectedItems() ?? []) openPath(item.path);
    }
  });
  commands.addCommand('studio:show-sidebar', {
    label: 'Show Projects and Jobs of Studio',
    execute: () => app.shell.activateById('studio-sidebar')
  });
}

async function askForFile(browser, openPath) {
  if (browser === null) {
    const { value } = await InputDialog.getText({ title: 'Path of a model or module' });
    if (value) await openPath(value);
    return;
  }
  const { value } = await FileDialog.getOpenFiles({
    manager: browser.model.manager,
    title: 'Open a model or module',
    filter: item => (item.type === 'directory' || OPENED.test(item.name) ? {} : null)
  });
  for (const item of value ?? []) await openPath(item.path);
}

function openHome(app, tabs, open) {
  const home = new StudioHome(open, () => app.commands.execute('studio:open-file'));
  show(app, tabs, new MainAreaWidget({ content: home }), 'studio-home');
}

function openTab(app, tabs, what, services) {
  const id = `studio-${what.kind}-${what.name}`;
  const panel = tabs.find(tab => tab.id === id) ? null : new StudioPanel(what, services);
  const tab = panel && new MainAreaWidget({ content: panel });
  if (tab) addToolbar(tab, panel);
  show(app, tabs, tab, id);
}

/** Add `tab` to the main area under `id`, or bring the one that has this id to the front. */
function show(app, tabs, tab, id) {
  const there = tabs.find(other => other.id === id);
  if (there) {
    tab?.dispose();
    app.shell.activateById(id);
    return;
  }
  tab.id = id;
  tab.title.icon = icon;
  tab.title.closable = true;
  tabs.add(tab);
  app.shell.add(tab, 'main', { type: 'Studio' });
  app.shell.activateById(id);
}

function restore(restorer, documents, tabs) {
  restorer?.restore(documents, {
    command: 'docmanager:open',
    args: widget => ({ path: widget.context.path, factory: FACTORY }),
    name: widget => widget.context.path
  });
  restorer?.restore(tabs, {
    command: 'studio:open',
    args: ({ content }) => content.what ?? { kind: 'home' },
    name: tab => tab.id
  });
}

export default plugin;
