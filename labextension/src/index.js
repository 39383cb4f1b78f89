// The plugin, where the application has what it needs.
//
// Voila loads every extension of JupyterLab, but has no file browser and no launcher to share:
// there the plugin cannot be imported, and nothing is missing without it.

let plugins = [];
try {
  plugins = (await import('./plugin.js')).default;
} catch (error) {
  console.debug('Studio adds nothing to this application:', error);
}

export default plugins;
