import {readFileSync} from 'node:fs'
import type {Artifact} from './artifact.ts'
import type {Lab} from './lab.ts'

const UNIT = `[Unit]
Description=Ollama Service
[Service]
ExecStart=/usr/local/bin/ollama serve
User=ollama
Group=ollama
Restart=always
RestartSec=0.3
[Install]
WantedBy=default.target
`

/**
 * Puts Ollama on a host as somebody else would have: as the official script does, behind SSH's back, with these models
 * and with this script for the stand-in.
 */
export async function installExternally(
  lab: Lab,
  host: number,
  wanted: {
    artifact: Artifact
    models?: readonly string[]
    script?: Readonly<Record<string, unknown>>
  },
): Promise<void> {
  const {artifact, models = ['tiny'], script = {}} = wanted
  await lab.exec(host, 'tar -xz -C /usr/local', {stdin: readFileSync(artifact.file)})
  await lab.exec(host, 'cat >/etc/systemd/system/ollama.service', {stdin: UNIT})
  await lab.exec(host, 'cat >/etc/fake-ollama.json', {stdin: JSON.stringify(script)})
  await lab.exec(
    host,
    `useradd -r -s /bin/false -U -m -d /usr/share/ollama ollama
    systemctl daemon-reload
    systemctl enable -q --now ollama`,
  )
  await answers(lab, host)
  for (const model of models)
    await lab.exec(host, `curl -sf 127.0.0.1:11434/api/pull -d '{"model":"${model}"}'`)
}

/** Until the host's Ollama answers on its loopback. */
export async function answers(lab: Lab, host: number): Promise<void> {
  await lab.exec(
    host,
    'for n in $(seq 100); do curl -sf 127.0.0.1:11434/api/version && exit; sleep .1; done; exit 1',
  )
}

/** Changes what a host's stand-in does while it runs. */
export async function script(
  lab: Lab,
  host: number,
  patch: Readonly<Record<string, unknown>>,
): Promise<void> {
  await lab.exec(host, 'curl -sf 127.0.0.1:11499/control -d @-', {stdin: JSON.stringify(patch)})
}
