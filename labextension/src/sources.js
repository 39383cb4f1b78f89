// What can be opened: a file, a project, a bundled model or module, as Python in the kernel opens it.

/** `kind` is path, project, sample or module; `name` the file's path on the server, an id, a name. */
export function source(kind, name, title) {
  return { kind, name, title: title || name };
}

/** The path of the kernel's session: its folder is the kernel's working directory. */
export function sessionPath({ kind, name }) {
  return kind === 'path' ? name : `studio-${kind}-${name}`;
}

/** The Python that shows it, or the view that already stands; JSON strings are Python's too. */
export function pythonOf(what, call = 'view') {
  const name = what.kind === 'path' ? what.name.split('/').pop() : what.name;
  const literal = JSON.stringify(name).replace(/[\u2028\u2029]/g, escaped);
  return `__import__("studio_widgets.documents").documents.${call}("${what.kind}", ${literal})`;
}

function escaped(character) {
  return `\\u${character.charCodeAt(0).toString(16)}`;
}
