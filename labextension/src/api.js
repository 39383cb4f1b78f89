// Studio's REST interface on the server that JupyterLab runs on.

import { URLExt } from '@jupyterlab/coreutils';
import { ServerConnection } from '@jupyterlab/services';

/** The JSON that `path` below `/api` answers; a failure is an Error with the server's own words. */
export async function api(path, method = 'GET', body = undefined) {
  const settings = ServerConnection.makeSettings();
  const request = { method, body: body === undefined ? undefined : JSON.stringify(body) };
  const url = URLExt.join(settings.baseUrl, 'api', path);
  const response = await ServerConnection.makeRequest(url, request, settings);
  const text = await response.text();
  const answer = parsed(text);
  if (!response.ok) {
    throw new Error(answer?.message || `The server answered ${response.status} to ${method} ${path}.`);
  }
  return answer;
}

function parsed(text) {
  try {
    return text ? JSON.parse(text) : null;
  } catch {
    return null;
  }
}
