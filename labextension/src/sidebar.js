// The sidebar: projects to open, and jobs with their progress, as the server has them.

import { Poll } from '@lumino/polling';
import { Widget } from '@lumino/widgets';

import { api } from './api.js';
import { button, element, icon } from './elements.js';
import { source } from './sources.js';

const JOB_EVENTS = /studio.*job/i;
const SHOWN_JOBS = 20;

export class StudioSidebar extends Widget {
  constructor({ open, home, events, seconds }) {
    super({ node: element('div', 'studio-Sidebar') });
    this.id = 'studio-sidebar';
    this.title.icon = icon;
    this.title.caption = 'Studio: projects and jobs';
    this._open = open;
    this._home = home;
    this._poll = new Poll({
      name: 'studio:sidebar',
      factory: () => this.refresh(),
      frequency: { interval: seconds() * 1000, backoff: true, max: 60_000 },
      standby: () => !this.isVisible || document.hidden
    });
    events.stream.connect((_, event) => {
      if (JOB_EVENTS.test(event.schema_id)) this._poll.refresh();
    });
  }

  dispose() {
    this._poll.dispose();
    super.dispose();
  }

  onAfterShow() {
    this._poll.refresh();
  }

  async refresh() {
    try {
      const [{ projects }, { jobs }] = await Promise.all([api('projects'), api('jobs')]);
      this._draw(projects, jobs);
    } catch (error) {
      this._draw([], [], error.message);
    }
  }

  _draw(projects, jobs, fault = '') {
    const names = new Map(projects.map(p => [p.projectId, p.projectName]));
    const latest = [...jobs].sort(byActivity).slice(0, SHOWN_JOBS);
    const focused = document.activeElement?.dataset?.key;
    this.node.replaceChildren(
      element('div', 'studio-Sidebar-head', [
        element('h2', '', 'Studio'), button('Open …', 'studio-mod-primary', this._home)
      ]),
      ...(fault ? [element('p', 'studio-mod-failed', fault)] : []),
      list('Jobs', latest.map(job => this._job(job, names)), 'No job runs or has run.'),
      list('Projects', projects.map(p => this._project(p)), 'No project yet. Open a model and save it as a project.')
    );
    if (focused) this.node.querySelector(`[data-key="${CSS.escape(focused)}"]`)?.focus();
  }

  _project(project) {
    const what = source('project', project.projectId, project.projectName);
    const parts = [
      element('span', 'studio-Row-name', project.projectName),
      element('span', 'studio-Row-detail', project.fault ?? project.model?.file ?? '')
    ];
    const row = element('button', 'studio-Row', parts, { click: () => this._open(what) });
    row.type = 'button';
    row.dataset.key = `project ${project.projectId}`;
    return row;
  }

  _job(job, names) {
    const project = source('project', job.projectId, names.get(job.projectId) ?? job.projectId);
    const name = element('button', 'studio-Row-name studio-mod-link', job.name, {
      click: () => this._open(project)
    });
    name.dataset.key = `job ${job.id}`;
    const parts = [
      element('div', 'studio-Row-line', [name, element('span', `studio-State studio-mod-${job.state}`, job.state)]),
      element('span', 'studio-Row-detail', `${job.kind} · ${project.title}`)
    ];
    if (isActive(job)) parts.push(progress(job));
    else if (job.error) parts.push(element('span', 'studio-Row-detail studio-mod-failed', job.error));
    parts.push(this._actions(job));
    return element('div', 'studio-Row', parts);
  }

  _actions(job) {
    const act = (path, method) => async () => {
      await api(path, method);
      await this._poll.refresh();
    };
    const buttons = [];
    const address = `jobs/${encodeURIComponent(job.id)}`;
    if (isActive(job)) buttons.push(button('Cancel', '', act(address, 'DELETE')));
    else if (job.state !== 'done') buttons.push(button('Resume', '', act(`${address}/resume`, 'POST')));
    return element('div', 'studio-Row-actions', buttons);
  }
}

function isActive(job) {
  return job.state === 'running' || job.state === 'queued';
}

function byActivity(a, b) {
  return isActive(b) - isActive(a) || String(b.createdAt).localeCompare(String(a.createdAt));
}

function progress(job) {
  const bar = element('progress', 'studio-Progress');
  bar.max = job.total || 1;
  bar.value = job.done;
  bar.setAttribute('aria-label', `${job.name}: ${job.done} of ${job.total}`);
  const left = job.etaSeconds === null ? '' : `, about ${duration(job.etaSeconds)} left`;
  const text = job.state === 'queued' ? 'waiting' : `${job.done} of ${job.total}${left}`;
  return element('div', '', [bar, element('span', 'studio-Row-detail', text)]);
}

function duration(seconds) {
  return seconds < 90 ? `${Math.ceil(seconds)} s` : `${Math.ceil(seconds / 60)} min`;
}

function list(title, rows, nothing) {
  const content = rows.length ? rows : [element('p', 'studio-Sidebar-nothing', nothing)];
  return element('section', '', [element('h3', '', title), ...content]);
}
