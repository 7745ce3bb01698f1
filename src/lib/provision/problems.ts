import {isLoopback} from '../cluster/loopback.ts'
import type {Facts} from './facts.ts'
import {type Layout, stagingDir} from './layout.ts'
import type {Problem, WantedNode} from './plan-value.ts'

const MIB = 2 ** 20

interface Look {
  readonly facts: Facts
  readonly wanted: WantedNode
  readonly layout: Layout
  readonly port: number
  readonly keeper: 'systemd' | 'launchd' | 'supervised'
  /** An archive will be put there and unpacked. */
  readonly brings: boolean
}

/** Every reason why the host cannot become a node as it is, all at once. */
export function problemsOf(look: Look): Problem[] {
  return [
    ...machineProblems(look),
    ...portProblems(look),
    ...diskProblems(look),
    ...(look.brings ? archiveProblems(look) : []),
  ]
}

function machineProblems({facts, layout, wanted}: Look): Problem[] {
  const problems: Problem[] = []
  if (facts.os === 'other')
    problems.push({
      text: 'ollamax installs on Linux and macOS, and this is another system',
      next: 'Install Ollama there yourself, then run this again with --no-install',
    })
  if (layout.kind === 'system' && facts.init.kind === 'other')
    problems.push({
      text: `systemd does not run there (process 1 is ${facts.init.name})`,
      next: 'Install below the account, without systemd: add --user-mode',
    })
  if (layout.kind === 'system' && facts.sudo === 'unknown')
    problems.push({
      text: 'sudo is there, but does not say whether the account may use it',
      next: 'Install below the account: add --user-mode',
    })
  if (facts.libc !== 'unknown' && facts.libc.kind === 'musl' && wanted.source?.kind === 'fetch')
    problems.push({
      text: "Ollama's releases need glibc, and this machine has musl",
      next: 'Run Ollama in a container there and add it with --no-install',
    })
  return problems
}

function portProblems({facts, port}: Look): Problem[] {
  if (!facts.listener || facts.ollama.answers !== undefined) return []
  // Our own service that hangs also holds its port, and starting it again is the cure.
  if (facts.system.unit?.active || facts.own.unit?.active) return []
  if (facts.own.supervisorText !== undefined) return []
  if ((facts.own.plistText ?? facts.system.plistText) !== undefined) return []
  const who =
    facts.os === 'darwin' ? `lsof -nP -iTCP:${port} -sTCP:LISTEN` : `ss -ltnp 'sport = :${port}'`
  return [
    {
      text: `port ${port} is taken by a program of the user ${facts.listener.user} that does not answer as Ollama does`,
      next: `Stop it there (sudo ${who} names it), or give another port by --port`,
    },
  ]
}

function diskProblems({facts, layout, wanted, brings}: Look): Problem[] {
  const problems: Problem[] = []
  const home = facts.places.home
  const program = layout.kind === 'system' ? facts.places['/opt'] : home
  const path = layout.root
  if (program?.readOnly === true)
    problems.push({
      text: `${path} lies on a file system that is mounted read-only`,
      next: 'Mount it writable, or install below the account: add --user-mode',
    })
  if (program?.noExec === true)
    problems.push({
      text: `${path} lies on a file system that is mounted noexec: no program may run there`,
      next: 'Mount it without noexec',
    })
  if (layout.kind === 'system' && facts.places['/etc/systemd/system']?.readOnly === true)
    problems.push({
      text: `${layout.unitDir} is mounted read-only, so no service can be set up`,
      next: 'Mount it writable, or install below the account: add --user-mode',
    })
  const artifact = wanted.source?.kind === 'carry' ? wanted.source.artifact : undefined
  if (!brings || !artifact) return problems
  const room = (free: number | 'unknown' | undefined, need: number, where: string) => {
    if (typeof free === 'number' && free < need)
      problems.push({
        text: `the disk is too full: ${where} has ${mib(free)} free and needs ${mib(need)}`,
        next: 'Make room there, then run this again',
      })
  }
  const carried = facts.staged === undefined ? artifact.sizeBytes + MIB : 0
  const unpacked = artifact.unpackedBytes + 16 * MIB
  // Two places with the very same room to the kibibyte are taken for one disk.
  const same = home?.freeBytes === program?.freeBytes
  // Root unpacks a copy of what the account was given, which goes away before the unpacking.
  const copy = layout.kind === 'system' ? artifact.sizeBytes : 0
  room(program?.freeBytes, unpacked + (same ? carried : copy), path)
  if (!same && carried > 0) room(home?.freeBytes, carried, stagingDir(facts.home))
  return problems
}

function archiveProblems({facts, wanted}: Look): Problem[] {
  const problems: Problem[] = []
  const {source} = wanted
  if (source?.kind === 'carry') {
    const {arch, os} = source.artifact
    if (arch !== 'any' && arch !== facts.arch)
      problems.push({
        text: `the archive is for ${arch}, and this machine is ${facts.arch}`,
        next: `Give an archive for ${facts.arch} by --artifact`,
      })
    if (os !== 'any' && os !== facts.os)
      problems.push({
        text: `the archive is for ${os}, and this machine runs ${facts.os}`,
        next: `Give an archive for ${facts.os} by --artifact`,
      })
  }
  const format = source?.kind === 'carry' ? source.artifact.format : source?.format
  const needed = ['tar', ...(format === 'tar' ? [] : ['gzip'])].filter(
    (it) => !facts.tools.includes(it),
  )
  if (!['sha256sum', 'shasum', 'openssl'].some((it) => facts.tools.includes(it)))
    needed.push('sha256sum')
  if (needed.length > 0)
    problems.push({
      text: `${needed.join(' and ')} ${needed.length > 1 ? 'are' : 'is'} not installed there`,
      next: 'Install what is missing with the package manager of that machine',
    })
  return problems
}

interface Chosen {
  readonly kind: 'system' | 'user'
  readonly keeper: 'systemd' | 'launchd' | 'supervised'
  readonly sized: boolean
}

/** What works, and an operator should know of all the same. */
export function warningsOf(facts: Facts, port: number, chosen?: Chosen): string[] {
  const warnings: string[] = []
  for (const gpu of facts.gpus === 'unknown' ? [] : facts.gpus)
    if (gpu.driver === 'none' || gpu.driver === 'failed')
      warnings.push(
        `${gpu.name}: its driver ${gpu.driver === 'none' ? 'is not installed' : 'does not work'}, so the CPU will do the work`,
      )
  const open = facts.listener && !isLoopback(facts.listener.address)
  if (open && (!chosen || facts.ollama.answers === undefined))
    warnings.push(
      `port ${port} listens on ${facts.listener?.address}: whoever reaches the machine can use it, without a password`,
    )
  if (facts.clock !== 'unknown' && Math.abs(facts.clock.skewMs) > facts.clock.accuracyMs + 5000)
    warnings.push(`its clock is off by ${Math.round(facts.clock.skewMs / 1000)} s`)
  if (
    chosen?.kind === 'system' &&
    chosen.sized &&
    facts.places['/usr/local/bin']?.readOnly === true
  )
    warnings.push(
      '/usr/local is mounted read-only: the service works, the command `ollama` is not in the PATH there',
    )
  if (chosen?.keeper === 'supervised' && !facts.cron)
    warnings.push(
      'there is neither systemd for the account nor cron: Ollama will not come back after a reboot; run node start then',
    )
  if (chosen?.keeper === 'launchd') warnings.push(...macWarnings(facts, chosen))
  const models = facts.places[chosen?.kind === 'user' ? 'own_models' : 'models']
  if (typeof models?.freeBytes === 'number' && models.freeBytes < 1024 * MIB)
    warnings.push(`only ${mib(models.freeBytes)} are free where models lie`)
  return warnings
}

function macWarnings({ollama}: Facts, {kind, sized}: Chosen): string[] {
  const warnings: string[] = []
  if (sized)
    warnings.push('installing on macOS was never tried on a real Mac: look closely at what it does')
  if (kind === 'user')
    warnings.push(
      'without root launchd runs Ollama only while the account is logged in: after a reboot it waits for a login',
    )
  if (ollama.installedBy === 'package' && ollama.answers === undefined)
    warnings.push(
      `${ollama.binary} is installed there too and does not run: started later, it would want the same port`,
    )
  return warnings
}

const mib = (bytes: number) =>
  bytes >= 1024 * MIB ? `${(bytes / 1024 / MIB).toFixed(1)} GiB` : `${Math.round(bytes / MIB)} MiB`
