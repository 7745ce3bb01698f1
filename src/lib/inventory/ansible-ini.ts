import {messageOf} from '../errors.ts'
import {AnsibleGroups, entriesOf, type Vars} from './ansible.ts'
import {badLine, type Inventory} from './entry.ts'
import {expandHosts} from './host-range.ts'

/** Reads an Ansible inventory in its INI form. BAD_INPUT names the line that cannot be read. */
export function readAnsibleIni(text: string): Inventory {
  const groups = new AnsibleGroups()
  let section = {name: 'ungrouped', kind: 'hosts'}
  for (const [at, raw] of text.split(/\r?\n/).entries()) {
    const line = raw.replace(/(^|\s)[#;].*$/, '').trim()
    if (line === '') continue
    const head = /^\[([^\]:]+)(?::(children|vars|hosts))?\]$/.exec(line)
    if (head) {
      section = {name: head[1]?.trim() ?? '', kind: head[2] ?? 'hosts'}
      groups.named(section.name)
      continue
    }
    const group = groups.named(section.name)
    try {
      if (section.kind === 'children') {
        group.children.add(line)
        groups.named(line)
      } else if (section.kind === 'vars') Object.assign(group.vars, pair(line))
      else {
        const [pattern = '', ...words] = wordsOf(line)
        const vars: Vars = Object.assign({}, ...words.map(pair))
        for (const host of expandHosts(pattern))
          group.hosts.set(host, {...group.hosts.get(host), ...vars})
      }
    } catch (error) {
      throw badLine(at + 1, messageOf(error))
    }
  }
  return entriesOf(groups)
}

function pair(word: string): Vars {
  const at = word.indexOf('=')
  if (at < 1) throw new Error(`${JSON.stringify(word)} is not NAME=VALUE`)
  const value = word.slice(at + 1).trim()
  return {[word.slice(0, at).trim()]: value.replace(/^(["'])(.*)\1$/, '$2')}
}

/** Words as a shell takes them apart, as far as quotes go. */
function wordsOf(line: string): string[] {
  return [...line.matchAll(/(?:[^\s"']|"[^"]*"|'[^']*')+/g)].map(([word]) => word)
}
