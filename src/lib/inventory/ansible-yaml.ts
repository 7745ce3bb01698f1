import {OllamaxError} from '../errors.ts'
import {AnsibleGroups, entriesOf} from './ansible.ts'
import type {Inventory} from './entry.ts'
import {expandHosts} from './host-range.ts'

type Mapping = Readonly<Record<string, unknown>>
/** Nobody nests groups deeper. */
const MOST_DEEP = 50

/** Reads an Ansible inventory from what its YAML form holds. BAD_INPUT says where it is none. */
export function readAnsibleYaml(value: unknown): Inventory {
  const groups = new AnsibleGroups()
  for (const [name, group] of Object.entries(mapping(value, 'the inventory')))
    takeGroup(groups, {name, value: group, path: name, depth: 0})
  return entriesOf(groups)
}

interface Place {
  readonly name: string
  readonly value: unknown
  readonly path: string
  readonly depth: number
}

function takeGroup(groups: AnsibleGroups, {name, value, path, depth}: Place): void {
  if (depth > MOST_DEEP) throw bad(path, 'is nested too deep')
  const group = groups.named(name)
  const {hosts, vars, children} = mapping(value, path)
  for (const [pattern, own] of Object.entries(mapping(hosts, `${path}.hosts`))) {
    const set = texts(mapping(own, `${path}.hosts.${pattern}`))
    for (const host of expand(pattern, path))
      group.hosts.set(host, {...group.hosts.get(host), ...set})
  }
  Object.assign(group.vars, texts(mapping(vars, `${path}.vars`)))
  for (const [child, inner] of Object.entries(mapping(children, `${path}.children`))) {
    group.children.add(child)
    takeGroup(groups, {
      name: child,
      value: inner,
      path: `${path}.children.${child}`,
      depth: depth + 1,
    })
  }
}

function expand(pattern: string, path: string): string[] {
  try {
    return expandHosts(pattern)
  } catch (error) {
    throw bad(path, error instanceof Error ? error.message : String(error))
  }
}

/** Nothing counts as empty, as Ansible has it. */
function mapping(value: unknown, path: string): Mapping {
  if (value === undefined || value === null) return {}
  if (typeof value === 'object' && !Array.isArray(value)) return value as Mapping
  throw bad(path, 'must be a mapping')
}

/** Only single values can be an address, a user or a port. */
const texts = (vars: Mapping) =>
  Object.fromEntries(
    Object.entries(vars).flatMap(([key, value]) =>
      typeof value === 'string' || typeof value === 'number' ? [[key, String(value)]] : [],
    ),
  )

const bad = (path: string, why: string) =>
  new OllamaxError('BAD_INPUT', `${path} in the inventory: ${why}`, {
    suggestions: ['an Ansible inventory is a mapping of groups with hosts, vars and children'],
  })
