// Loaded into Node programs by `proxyfw exec`: makes fetch, http and https go through the proxy that the environment
// names. Newer versions of Node do that themselves (NODE_USE_ENV_PROXY), and then this does nothing.
'use strict';

const [major, minor] = process.versions.node.split('.').map(Number);
const knows = major > 24 || (major === 24 && minor >= 5) || (major === 22 && minor >= 21);
const given = process.env.https_proxy || process.env.HTTPS_PROXY;

if (!knows && given && given.startsWith('http://')) {
  const http = require('http');
  const https = require('https');
  const net = require('net');
  const tls = require('tls');
  const proxy = new URL(given);

  const bare = (host) => host.replace(/^\[|\]$/g, '');

  // Calls back with a socket that the proxy has connected to host and port.
  function tunnel(host, port, done) {
    const place = host.includes(':') && !host.startsWith('[') ? `[${host}]:${port}` : `${host}:${port}`;
    const request = http.request({
      host: bare(proxy.hostname),
      port: proxy.port || 80,
      method: 'CONNECT',
      path: place,
      headers: { host: place },
      agent: false,
    });
    request.once('error', done);
    request.once('connect', (response, socket, head) => {
      if (response.statusCode !== 200) {
        socket.destroy();
        done(new Error(`the proxy refuses to connect to ${place}: ${response.statusCode}`));
        return;
      }
      if (head.length) socket.unshift(head);
      done(null, socket);
    });
    request.end();
  }

  // TLS to host over socket. An address is no server name (RFC 6066 section 3).
  function encrypt(socket, host, options, done) {
    const servername = options.servername || (net.isIP(host) ? '' : host);
    const secure = tls.connect({ ...options, socket, host, servername });
    secure.once('error', done);
    secure.once('secureConnect', () => {
      secure.removeListener('error', done);
      done(null, secure);
    });
  }

  http.globalAgent.createConnection = (options, done) => {
    tunnel(options.host, options.port, done);
  };
  https.globalAgent.createConnection = (options, done) => {
    tunnel(options.host, options.port, (problem, socket) => {
      if (problem) done(problem);
      else encrypt(socket, options.host, options, done);
    });
  };

  // fetch has an agent of undici, which Node does not export; the class of the present one makes another.
  const dispatcher = Symbol.for('undici.globalDispatcher.1');
  void globalThis.Headers; // loads undici
  const Agent = globalThis[dispatcher] && globalThis[dispatcher].constructor;
  if (Agent) {
    const connect = (options, done) => {
      const secure = options.protocol === 'https:';
      tunnel(options.hostname, options.port || (secure ? 443 : 80), (problem, socket) => {
        if (problem) done(problem);
        else if (!secure) done(null, socket);
        else encrypt(socket, bare(options.hostname), { ALPNProtocols: ['http/1.1'] }, done);
      });
    };
    globalThis[dispatcher] = new Agent({ connect });
  }
}
