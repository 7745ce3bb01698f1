// The gateways beside which ollamax is measured, set up as they are best for token streams: nginx without buffering and
// with kept connections, HAProxy without the 200 ms for which it would hold small pieces back. One core each.
import {mkdirSync, writeFileSync} from 'node:fs'
import {join} from 'node:path'
import {freePort, untilServing} from './machine.js'

const servers = (nodes, line) => nodes.map((url, i) => line(new URL(url).host, i)).join('\n')

const nginx = (dir, port, nodes) => `
${process.getuid?.() === 0 ? 'user root;' : ''}
worker_processes 1;
worker_rlimit_nofile 16384;
daemon off;
pid ${dir}/nginx.pid;
error_log stderr error;
events { worker_connections 8192; }
http {
  access_log off;
  tcp_nodelay on;
  keepalive_timeout 300s;
  keepalive_requests 100000000;
  client_body_temp_path ${dir}/body;
  proxy_temp_path ${dir}/proxy;
  fastcgi_temp_path ${dir}/fastcgi;
  uwsgi_temp_path ${dir}/uwsgi;
  scgi_temp_path ${dir}/scgi;
  upstream nodes {
    least_conn;
${servers(nodes, (host) => `    server ${host};`)}
    keepalive 2048;
    keepalive_requests 100000000;
  }
  server {
    listen 127.0.0.1:${port} backlog=4096;
    client_max_body_size 64m;
    client_body_buffer_size 1m;
    location / {
      proxy_pass http://nodes;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_buffering off;
      proxy_read_timeout 300s;
      proxy_next_upstream error timeout http_500 http_503 non_idempotent;
    }
  }
}
`

const haproxy = (port, nodes) => `
global
  nbthread 1
  maxconn 8000
defaults
  mode http
  timeout connect 5s
  timeout client 300s
  timeout server 300s
  option http-no-delay
  option redispatch
  retries 3
  retry-on all-retryable-errors
frontend front
  bind 127.0.0.1:${port} backlog 4096
  default_backend nodes
backend nodes
  balance leastconn
  http-reuse always
  option httpchk GET /api/version
${servers(nodes, (host, i) => `  server n${i + 1} ${host} check inter 2s pool-max-conn 2048`)}
`

/** Starts nginx or HAProxy in front of the nodes: {url, pid}. */
export async function startPeer(processes, name, nodes, dir, core) {
  const port = await freePort()
  const own = join(dir, name)
  mkdirSync(own, {recursive: true})
  const file = join(own, `${name}.cfg`)
  writeFileSync(file, name === 'nginx' ? nginx(own, port, nodes) : haproxy(port, nodes))
  const argv =
    name === 'nginx'
      ? ['nginx', '-p', own, '-e', 'stderr', '-c', file]
      : ['haproxy', '-db', '-f', file]
  const one = processes.start(core, argv)
  const url = `http://127.0.0.1:${port}`
  await untilServing(one, `${url}/api/version`)
  return {url, pid: one.child.pid}
}
