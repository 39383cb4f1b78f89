// File types, and the document that a double click opens; the file itself is never loaded here.

import { ABCWidgetFactory, DocumentModel, DocumentWidget } from '@jupyterlab/docregistry';
import { ToolbarButton, refreshIcon } from '@jupyterlab/ui-components';

import { icon } from './elements.js';
import { StudioPanel } from './panel.js';
import { source } from './sources.js';

const FILE_TYPES = [
  { name: 'studio-onnx', displayName: 'ONNX model', extensions: ['.onnx'], fileFormat: 'base64' },
  { name: 'studio-mlir', displayName: 'MLIR module', extensions: ['.mlir'], fileFormat: 'text' },
  { name: 'studio-ttir', displayName: 'TTIR module', extensions: ['.ttir'], fileFormat: 'text' },
  { name: 'studio-ttnn', displayName: 'TTNN module', extensions: ['.ttnn'], fileFormat: 'text' }
];
export const FACTORY = 'Studio';

export function addFileTypes(app, services, opensByDefault) {
  const names = FILE_TYPES.map(type => type.name);
  for (const type of FILE_TYPES) app.docRegistry.addFileType({ ...type, contentType: 'file', icon });
  app.docRegistry.addModelFactory(new NoContent());
  const factory = new Factory(services, {
    name: FACTORY, label: 'Studio', modelName: NoContent.NAME, fileTypes: names,
    defaultFor: opensByDefault ? names : [], readOnly: true
  });
  app.docRegistry.addWidgetFactory(factory);
  return factory;
}

export function addToolbar(widget, panel) {
  const items = [
    ['notebook', { label: 'Open in a notebook', tooltip: 'Write the cells that repeat this, and open them', onClick: () => panel.openAsNotebook() }],
    ['restart', { icon: refreshIcon, tooltip: 'Restart the kernel', onClick: () => panel.restart() }]
  ];
  for (const [name, options] of items) widget.toolbar.addItem(name, new ToolbarButton(options));
}

/** A model with no content: hundreds of megabytes of weights have no place in the browser. */
class NoContent {
  static NAME = 'studio-no-content';
  name = NoContent.NAME;
  contentType = 'file';
  fileFormat = null;
  collaborative = false;
  isDisposed = false;
  dispose() {
    this.isDisposed = true;
  }
  createNew(options) {
    return new DocumentModel(options);
  }
  preferredLanguage() {
    return '';
  }
}

class Factory extends ABCWidgetFactory {
  constructor(services, options) {
    super(options);
    this._services = services;
  }

  createNewWidget(context) {
    const name = context.path.split('/').pop();
    const content = new StudioPanel(source('path', context.path, name), this._services);
    const widget = new DocumentWidget({ content, context });
    widget.title.icon = icon;
    addToolbar(widget, content);
    return widget;
  }
}
