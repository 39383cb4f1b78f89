// Elements of the page. Names come from models and are hostile: text only, never markup.

import { LabIcon } from '@jupyterlab/ui-components';

const drawing = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 24 24" width="16">
  <g class="jp-icon3" fill="none" stroke="#616161" stroke-width="1.8" stroke-linecap="round">
    <path d="M4 19V9M9.3 19V5M14.6 19v-7M20 19v-3"/>
  </g>
  <path class="jp-icon-selectable" fill="none" stroke="#2a78d6" stroke-width="1.8"
    stroke-linecap="round" d="M3 13c5-7 12-8 18-2"/>
</svg>`;

export const icon = new LabIcon({ name: 'studio:icon', svgstr: drawing });

/** An element with a class, text or children, and event listeners. */
export function element(tag, className, content = [], listeners = {}) {
  const made = document.createElement(tag);
  made.className = className;
  made.append(...[content].flat());
  for (const [event, listener] of Object.entries(listeners)) made.addEventListener(event, listener);
  return made;
}

/** A button that says what it does, and is off while it does it. */
export function button(label, className, act, title = '') {
  const made = element('button', `studio-Button ${className}`, label, {
    click: async () => {
      made.disabled = true;
      try {
        await act();
      } finally {
        made.disabled = false;
      }
    }
  });
  made.type = 'button';
  made.title = title;
  return made;
}
