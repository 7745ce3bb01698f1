import type {Finding} from '../../cluster/finding.ts'
import type {SshNode} from '../../cluster/node.ts'
import type {Reading} from '../../cluster/reading.ts'
import {roundSize} from '../../cluster/size.ts'
import type {Facts} from '../../provision/facts.ts'
import type {Plan} from '../../provision/plan-value.ts'
import {isOrphan, type Vitals} from './read-vitals.ts'

/** All that one look at a host gave. */
export interface Examined {
  readonly node: SshNode
  readonly facts: Facts
  readonly plan: Plan
  readonly vitals: Vitals | undefined
  /** Through the tunnel, as requests go. */
  readonly reading: Reading
}

const MIB = 2 ** 20
const MANY_RESTARTS = 3
const MAKE_ROOM = 'remove models that nobody uses, or make room there'

/** What is wrong on a host, worst first. Pure: the same look gives the same findings. */
export function diagnoseHost(seen: Examined): Finding[] {
  const findings = [
    ...service(seen),
    ...tunnel(seen),
    ...drift(seen),
    ...resources(seen),
    ...gpu(seen),
    ...log(seen),
  ]
  const order = ['error', 'warning', 'info']
  return findings.sort((a, b) => order.indexOf(a.severity) - order.indexOf(b.severity))
}

function service({node, vitals, reading}: Examined): Finding[] {
  if (!vitals)
    return [
      {
        severity: 'warning',
        check: 'vitals',
        text: 'its state could not be read as a whole',
        next: `ollamax doctor ${node.name} again; if it stays so, look there: ollamax node shell ${node.name}`,
      },
    ]
  const {unit, keeper} = vitals
  const next = `ollamax node start ${node.name}`
  if (keeper === 'supervised' && !vitals.supervisorRuns)
    return [
      {severity: 'error', check: 'unit', text: 'its supervisor does not run', next, fixable: true},
    ]
  if (keeper === undefined && reading.kind === 'down')
    return [
      {
        severity: 'error',
        check: 'unit',
        text: 'there is no service that keeps Ollama running',
        next: `ollamax node add ${node.ssh} --name ${node.name}`,
        fixable: node.install !== 'external',
      },
    ]
  const findings: Finding[] = []
  if (unit.ActiveState !== undefined && unit.ActiveState !== 'active')
    findings.push({
      severity: 'error',
      check: 'unit',
      text: `the service is ${unit.ActiveState} (${unit.SubState ?? 'unknown'})`,
      cause: `result ${unit.Result ?? 'unknown'}, exit status ${unit.ExecMainStatus ?? 'unknown'}`,
      next: `ollamax node logs ${node.name}, then ${next}`,
      fixable: node.install !== 'external',
    })
  const restarts = Number(unit.NRestarts ?? 0)
  if (restarts > MANY_RESTARTS)
    findings.push({
      severity: 'warning',
      check: 'restarts',
      text: `systemd had to start it again ${restarts} times`,
      cause: vitals.errors.at(-1) ?? 'the log names none',
      next: `ollamax node logs ${node.name}`,
    })
  return findings
}

function tunnel({node, reading, facts}: Examined): Finding[] {
  if (reading.kind === 'up') {
    const {version} = reading
    const wanted = node.ollama.version
    if (wanted === undefined || version === undefined || version === wanted) return []
    return [
      {
        severity: 'warning',
        check: 'version',
        text: `Ollama ${version} answers, and ${wanted} is wanted`,
        next: `ollamax node add ${node.ssh} --name ${node.name} --ollama-version ${wanted}`,
      },
    ]
  }
  const port = node.ollama.port ?? facts.port
  const refused = reading.code === 'SSH_CHANNEL'
  const text = refused
    ? `the SSH server there opens no way to port ${port}`
    : facts.listener
      ? `a program of ${facts.listener.user} listens on port ${port}, but does not answer as Ollama does`
      : // Who listens can be seen on Linux only.
        `${facts.os === 'linux' ? 'nobody listens' : 'nothing answers'} on port ${port}`
  return [
    {
      severity: 'error',
      check: 'port',
      text,
      cause: reading.message,
      next: refused
        ? 'look whether sshd allows it: AllowTcpForwarding and PermitOpen in sshd_config'
        : `ollamax node logs ${node.name}`,
    },
  ]
}

/** What the plan would change is what is not as it is wanted; an empty plan means healthy. */
function drift({node, plan}: Examined): Finding[] {
  const again = `ollamax doctor ${node.name} --fix`
  const findings: Finding[] = plan.problems.map(({text, next}) => ({
    severity: 'error',
    check: 'fit',
    text,
    next,
  }))
  if (plan.missing)
    findings.push({
      severity: 'warning',
      check: 'version',
      text: `no program of Ollama ${plan.missing.version ?? 'of ours'} is installed there`,
      next: `ollamax node add ${node.ssh} --name ${node.name} --artifact FILE`,
      fixable: true,
    })
  for (const action of plan.actions)
    findings.push({
      severity: action.title === 'start Ollama' ? 'info' : 'warning',
      check: 'drift',
      text: `not as it is wanted; to be done: ${action.title}`,
      next: again,
      fixable: true,
    })
  return [...findings, ...plan.warnings.map(warned)]
}

/** The plan's warnings by what they speak of: the check, and what helps. */
const ADVICE: ReadonlyArray<readonly [RegExp, check: string, next: string]> = [
  [/clock/, 'clock', 'set it there, for example: sudo timedatectl set-ntp true'],
  [/free|disk/, 'disk', MAKE_ROOM],
  [/driver|GPU/, 'gpu', 'install or mend the driver there, then restart Ollama'],
  [/listens/, 'exposure', 'let it listen on loopback alone: OLLAMA_HOST=127.0.0.1 in its service'],
  [
    /reboot/,
    'host',
    'install cron there, or let an administrator run: loginctl enable-linger ACCOUNT',
  ],
  [/^/, 'host', 'nothing has to be done, if that is how it should be'],
]

function warned(text: string): Finding {
  const [, check, next] = ADVICE.find(([about]) => about.test(text)) ?? [/^/, 'host', '']
  return {severity: 'warning', check, text, next}
}

function resources({node, vitals, facts}: Examined): Finding[] {
  const findings: Finding[] = []
  const models = facts.places[node.install === 'user' ? 'own_models' : 'models']
  if (typeof models?.freeBytes === 'number' && models.freeBytes < 100 * MIB)
    findings.push({
      severity: 'error',
      check: 'disk',
      text: `the disk is full where models lie: ${roundSize(models.freeBytes)} are free`,
      next: MAKE_ROOM,
    })
  const total = facts.memoryBytes
  const available = vitals?.availableBytes
  if (available !== undefined && typeof total === 'number' && available < total / 20)
    findings.push({
      severity: 'warning',
      check: 'memory',
      text: `memory is short: ${roundSize(available)} of ${roundSize(total)} are available`,
      next: `see what takes it: ollamax node exec ${node.name} -- ps aux --sort -rss`,
    })
  const orphans = vitals?.runners.filter(isOrphan) ?? []
  if (orphans.length > 0)
    findings.push({
      severity: 'error',
      check: 'orphans',
      text: `${orphans.length} runner${orphans.length > 1 ? 's' : ''} without a server hold${orphans.length > 1 ? '' : 's'} ${roundSize(orphans.reduce((sum, it) => sum + it.residentBytes, 0))} of memory (pid ${orphans.map((it) => it.pid).join(', ')})`,
      cause: 'an Ollama server was killed without its runners',
      next: `ollamax doctor ${node.name} --fix`,
      fixable: true,
    })
  return findings
}

function gpu({facts, reading, vitals}: Examined): Finding[] {
  const gpus = facts.gpus === 'unknown' ? [] : facts.gpus
  const usable = gpus.filter((one) => one.driver !== 'none' && one.driver !== 'failed')
  if (usable.length === 0) return []
  const names = usable.map((one) => one.name).join(', ')
  const onCpu = reading.kind === 'up' ? reading.loaded.filter((model) => model.vramBytes === 0) : []
  const cpuOnly = vitals?.compute !== undefined && /library=cpu\b/.test(vitals.compute)
  if (onCpu.length === 0 && !cpuOnly) return []
  return [
    {
      severity: 'error',
      check: 'gpu',
      text: `it has a GPU (${names}), and the CPU does the work${onCpu.length > 0 ? ` for ${onCpu.map((model) => model.name).join(', ')}` : ''}`,
      cause: cpuOnly
        ? 'Ollama found no GPU when it started: its libraries, the driver or the rights on the device do not fit'
        : 'the model did not fit into the GPU when it was loaded, or it was loaded with num_gpu 0',
      next: 'look at the line "inference compute" in the log, and restart Ollama after a change of the driver',
    },
  ]
}

function log({node, vitals}: Examined): Finding[] {
  if (!vitals) return []
  const findings: Finding[] = vitals.kernel.map((line) => ({
    severity: 'error',
    check: 'kernel',
    text: /xid/i.test(line)
      ? 'the GPU reported a fault'
      : 'the kernel killed Ollama for want of memory',
    cause: line,
    next: /xid/i.test(line)
      ? 'look the Xid up in the manual of the driver'
      : 'load fewer or smaller models there, or limit them by OLLAMA_MAX_LOADED_MODELS',
  }))
  const last = vitals.errors.at(-1)
  if (last !== undefined)
    findings.push({
      severity: 'warning',
      check: 'journal',
      text: 'its log tells of errors within the last hour',
      cause: last,
      next: `ollamax node logs ${node.name} --since 1h`,
    })
  if (!vitals.journalRead && vitals.keeper !== undefined)
    findings.push({
      severity: 'info',
      check: 'journal',
      text: 'the account may not read the log of the service, so errors in it are unknown',
      next: 'on the host: sudo usermod -aG systemd-journal ACCOUNT',
    })
  return findings
}
