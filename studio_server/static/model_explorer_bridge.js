// Model Explorer's front end asks for /api/v1/… and sends no XSRF token. Before any of its own
// scripts run, this one sends such calls below the server's base URL, with the token of the
// login's cookie, and lets nothing else of the page go there.
(() => {
  const baseUrl = document.currentScript.dataset.baseUrl.replace(/\/?$/, "/");
  const CALLS = /^\/(api\/v1|apipost\/v1|apistream)\//;
  const SAFE = /^(GET|HEAD|OPTIONS)$/i;

  const ours = (address) => {
    const url = new URL(address, location.origin);
    if (url.origin !== location.origin || !CALLS.test(url.pathname)) return null;
    return location.origin + baseUrl + url.pathname.slice(1) + url.search;
  };
  const token = () => {
    const found = document.cookie.match(/(?:^|;\s*)_xsrf=([^;]*)/);
    return found ? decodeURIComponent(found[1]) : "";
  };

  const fetchAsBefore = window.fetch.bind(window);
  window.fetch = (resource, options = {}) => {
    const address = typeof resource === "string" || resource instanceof URL ? ours(resource) : null;
    if (address === null) return fetchAsBefore(resource, options);
    const headers = new Headers(options.headers);
    if (!SAFE.test(options.method ?? "GET")) headers.set("X-XSRFToken", token());
    return fetchAsBefore(address, { ...options, headers, credentials: "same-origin" });
  };

  const EventSourceAsBefore = window.EventSource;
  window.EventSource = class extends EventSourceAsBefore {
    constructor(address, options) {
      super(ours(address) ?? address, options);
    }
  };
})();
