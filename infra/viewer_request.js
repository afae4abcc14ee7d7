// CloudFront Function (viewer request, JavaScript runtime 2.0) in front of the approval page: the session cookie
// becomes the header that API Gateway's authorizer reads, and whoever has none is sent to sign in.
const SESSION = '__Host-session';

function handler(event) {
  const request = event.request;
  const session = request.cookies[SESSION];
  // Nobody but this function says who and where the viewer is.
  delete request.cookies[SESSION];
  delete request.headers.authorization;
  request.headers['x-viewer-address'] = { value: event.viewer.ip };
  // The routes that need no token; Slack signs its own.
  if (/^\/(sign-in(\/.*)?|sign-out|slack)$/.test(request.uri)) return request;
  if (session) {
    request.headers.authorization = { value: `Bearer ${session.value}` };
    return request;
  }
  // A style sheet or an icon leads nowhere: the authorizer refuses it.
  const mode = request.headers['sec-fetch-mode'];
  if (mode && mode.value !== 'navigate') return request;
  // A form is not sent on to the provider: the content security policy forbids it, and its sender must be told.
  const page = request.method === 'GET' || request.method === 'HEAD' ? '/sign-in' : '/sign-in/ended';
  const query = request.rawQueryString();
  const to = encodeURIComponent(query ? `${request.uri}?${query}` : request.uri);
  return {
    statusCode: 303,
    statusDescription: 'See Other',
    headers: { location: { value: `${page}?to=${to}` }, 'cache-control': { value: 'no-store' } },
  };
}
