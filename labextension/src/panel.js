// A workbench in a tab of its own: a kernel, and the view that it shows, nothing else.

import { Dialog, SessionContext, SessionContextDialogs, showDialog } from '@jupyterlab/apputils';
import { OutputArea, OutputAreaModel } from '@jupyterlab/outputarea';
import { registerWidgetManager } from '@jupyter-widgets/jupyterlab-manager';
import { Panel, Widget } from '@lumino/widgets';

import { button, element } from './elements.js';
import { pythonOf, sessionPath } from './sources.js';

/** Shows `what` (see sources.js); `services` has manager, rendermime, kernelName, openFile. */
export class StudioPanel extends Panel {
  constructor(what, services) {
    super();
    this.addClass('studio-Panel');
    this.what = what;
    this.services = services;
    this.title.label = what.title;
    this._note = new Widget({ node: element('div', 'studio-Panel-note') });
    this._note.node.setAttribute('role', 'status');
    this.addWidget(this._note);
    this.session = this._makeSession();
    this._area = this._makeArea();
    this.addWidget(this._area);
    this.ready = this._start();
  }

  dispose() {
    if (this.isDisposed) return;
    this._manager?.dispose();
    const { session } = this;
    super.dispose();
    // The tab is closed by a person: its kernel has nobody left.
    session.shutdown().catch(() => undefined).finally(() => session.dispose());
  }

  /** Forget the kernel's state, and show the model again. */
  async restart() {
    const sure = await showDialog({
      title: 'Restart the kernel?',
      body: 'The plan that is not saved is lost. Jobs of the server go on.',
      buttons: [Dialog.cancelButton(), Dialog.warnButton({ label: 'Restart' })]
    });
    if (sure.button.accept) await this.session.restartKernel();
  }

  /** Write what was done here as the cells of a notebook, and open it. */
  async openAsNotebook() {
    const answer = await this._ask(pythonOf(this.what, 'write_notebook'));
    const folder = this.what.kind === 'path' ? this.what.name.split('/').slice(0, -1) : [];
    if (answer) this.services.openFile([...folder, answer].join('/'));
  }

  _makeSession() {
    const { manager, kernelName } = this.services;
    const path = sessionPath(this.what);
    return new SessionContext({
      sessionManager: manager.sessions,
      specsManager: manager.kernelspecs,
      path,
      name: this.what.title,
      type: 'studio',
      kernelPreference: { name: kernelName(), autoStartDefault: true, shutdownOnDispose: false }
    });
  }

  _makeArea() {
    const rendermime = this.services.rendermime.clone();
    // The widgets' manager asks of a document no more than these.
    const context = {
      sessionContext: this.session,
      model: { getMetadata: () => undefined, metadata: {}, dirty: false },
      saveState: { connect: () => undefined, disconnect: () => undefined },
      urlResolver: rendermime.resolver
    };
    this._manager = registerWidgetManager(context, rendermime, []);
    const model = new OutputAreaModel({ trusted: true });
    const area = new OutputArea({ model, rendermime, contentFactory: OutputArea.defaultContentFactory });
    area.addClass('studio-Panel-view');
    return area;
  }

  async _start() {
    this._say(`Opening ${this.what.title} …`);
    try {
      if (await this.session.initialize()) await new SessionContextDialogs().selectKernel(this.session);
      await this.session.ready;
      this.session.statusChanged.connect((_, status) => this._follow(status));
      await this._show();
    } catch (error) {
      this._say(`The kernel did not start: ${error.message ?? error}`, true);
    }
  }

  _follow(status) {
    const restarts = ['restarting', 'autorestarting'].includes(status);
    if (restarts) {
      this._restarted = true;
      this._say('The kernel starts again …');
    } else if (status === 'idle' && this._restarted) {
      this._restarted = false;
      this._show();
    } else if (status === 'dead') {
      this._say('The kernel died. What was saved in projects and jobs is kept.', true);
    }
  }

  async _show() {
    if (this.isDisposed) return;
    this._say(`Opening ${this.what.title} …`);
    const future = this.session.session.kernel.requestExecute({
      code: pythonOf(this.what), store_history: false
    });
    this._area.model.clear();
    this._area.future = future;
    const reply = await future.done;
    this._say(reply.content.status === 'ok' ? '' : 'This could not be opened:', reply.content.status !== 'ok');
  }

  /** The text that a Python expression evaluates to; null, and a note, where it fails. */
  async _ask(code) {
    const future = this.session.session.kernel.requestExecute({
      code: 'pass', store_history: false, silent: true, user_expressions: { answer: code }
    });
    const reply = await future.done;
    const answer = reply.content.user_expressions?.answer;
    if (answer?.status !== 'ok') {
      this._say(`That failed: ${answer?.evalue ?? 'the kernel does not answer'}`, true);
      return null;
    }
    return answer.data['text/plain'].slice(1, -1);
  }

  _say(text, failed = false) {
    const { node } = this._note;
    node.textContent = text;
    node.classList.toggle('studio-mod-failed', failed);
    this._note.setHidden(!text);
    if (failed) {
      node.append(button('Try again', '', () => this._show()));
      node.append(button('Restart the kernel', '', () => this.restart()));
    }
  }
}
