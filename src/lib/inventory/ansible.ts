import {labelProblem} from '../cluster/names.ts'
import {type Inventory, type InventoryEntry, sshTarget} from './entry.ts'

export type Vars = Readonly<Record<string, string>>

/** A group of an Ansible inventory. */
export interface AnsibleGroup {
  readonly hosts: Map<string, Vars>
  readonly children: Set<string>
  readonly vars: Record<string, string>
}

/** Groups by name; a name that is asked for the first time is an empty group. */
export class AnsibleGroups extends Map<string, AnsibleGroup> {
  named(name: string): AnsibleGroup {
    const known = this.get(name)
    if (known) return known
    const group: AnsibleGroup = {hosts: new Map(), children: new Set(), vars: {}}
    this.set(name, group)
    return group
  }
}

/** Groups that every host is in, or that no host is meant to be in. */
const NO_LABEL = new Set(['all', 'ungrouped'])
/** Set on a host, these cannot be had by us: said once each. */
const IGNORED = /^ansible_(?:ssh_)?(?:pass(?:word)?|private_key_file|common_args|extra_args)$/

/**
 * The hosts of all groups: each group that a host is in, parents too, becomes a label `GROUP=true`; address, user and
 * port are taken as Ansible does, a host's own before those of its group, these before those of the parents.
 */
export function entriesOf(groups: AnsibleGroups): Inventory {
  const parents = parentsOf(groups)
  const notes = new Set<string>()
  const entries: InventoryEntry[] = []
  const hosts = new Map<string, Set<string>>()
  for (const [name, group] of groups)
    for (const host of group.hosts.keys()) {
      const own = hosts.get(host) ?? new Set<string>()
      hosts.set(host, own.add(name))
    }
  for (const [host, direct] of hosts) {
    const all = withParents(direct, parents)
    const own = [...direct].map((name) => groups.get(name)?.hosts.get(host) ?? {})
    // The farther a group is, the earlier its variables: what comes later wins.
    const far = [...all].reverse().map((name) => groups.get(name)?.vars ?? {})
    const vars: Vars = Object.assign({}, groups.get('all')?.vars, ...far, ...own)
    if (vars.ansible_connection === 'local') {
      notes.add(`${host} is this machine (ansible_connection=local): left out`)
      continue
    }
    for (const key of Object.keys(vars))
      if (IGNORED.test(key)) notes.add(`${key} is not taken over: say it in ssh_config`)
    entries.push({name: nameOf(host), ssh: targetOf(host, vars), labels: labelsOf(all, notes)})
  }
  return {entries, notes: [...notes]}
}

const nameOf = (host: string) => splitPort(host).host

function targetOf(host: string, vars: Vars): string {
  const split = splitPort(host)
  return sshTarget({
    host: vars.ansible_host ?? vars.ansible_ssh_host ?? split.host,
    user: vars.ansible_user ?? vars.ansible_ssh_user,
    port: vars.ansible_port ?? vars.ansible_ssh_port ?? split.port,
  })
}

/** `host:port`; an IPv6 address without brackets has no port. */
function splitPort(host: string): {host: string; port?: string} {
  const found = /^(\[[^\]]+\]|[^:]+):(\d+)$/.exec(host)
  const [, name, port] = found ?? []
  return name && port ? {host: name.replace(/^\[|\]$/g, ''), port} : {host}
}

function labelsOf(groups: ReadonlySet<string>, notes: Set<string>): Record<string, string> {
  const labels: Record<string, string> = {}
  for (const name of groups) {
    if (NO_LABEL.has(name)) continue
    const problem = labelProblem(name, 'true')
    if (problem === undefined) labels[name] = 'true'
    else notes.add(`the group ${name} makes no label: ${problem}`)
  }
  return labels
}

function parentsOf(groups: AnsibleGroups): Map<string, Set<string>> {
  const parents = new Map<string, Set<string>>()
  for (const [name, {children}] of groups)
    for (const child of children) parents.set(child, (parents.get(child) ?? new Set()).add(name))
  return parents
}

/** The groups and all groups above them, the nearest first; circles end. */
function withParents(
  direct: ReadonlySet<string>,
  parents: ReadonlyMap<string, ReadonlySet<string>>,
): Set<string> {
  const all = new Set(direct)
  for (const name of all) for (const parent of parents.get(name) ?? []) all.add(parent)
  return all
}
