import type {NodeSpec, SshNode, WantedOllama} from '../../cluster/node.ts'
import type {KeyChange, Setup} from '../../desired/fleet-state.ts'
import type {Facts, Installation} from '../../provision/facts.ts'
import {serviceEnv} from '../../provision/layout.ts'
import {planNode} from '../../provision/plan.ts'
import type {Plan} from '../../provision/plan-value.ts'
import {WRITE} from '../../provision/scripts.ts'
import {wantedHost} from '../wanted-host.ts'

/** What differs on a host from what is wanted of its Ollama, and what is to be said where it is not ours to change. */
export function setupOf(
  node: SshNode,
  ollama: WantedOllama,
  facts: Facts,
): {readonly setup?: Setup; readonly notes: readonly string[]} {
  const wanted = wantedHost(node, ollama)
  if (!wanted.install) return {notes: notOurs(node, ollama, facts.ollama.answers)}
  const plan = planNode(facts, wanted)
  if (plan.install === 'external')
    return {notes: plan.problems.map(({text}) => `${node.name}: ${text}`)}
  const texts = textsOf(plan, facts)
  const missing = plan.missing ? [`install Ollama ${plan.missing.version ?? '(the latest)'}`] : []
  return {
    notes: [],
    setup: {
      steps: [...missing, ...plan.actions.map(({title}) => title)],
      changes:
        plan.actions.length + missing.length > 0 ? changesOf({ollama, facts, plan, texts}) : [],
      texts,
      problems: plan.problems.map(({text}) => text),
      ...(plan.takesOver === undefined ? {} : {takesOver: plan.takesOver}),
    },
  }
}

/** What a node that is not ours to change has otherwise than wanted. */
export function notOurs(
  {name, kind}: Pick<NodeSpec, 'name' | 'kind'>,
  {version}: WantedOllama,
  answers: string | undefined,
): string[] {
  if (version === undefined || answers === undefined || answers === version) return []
  const why = kind === 'ssh' ? 'its Ollama is not ours' : 'it is not reached over SSH'
  return [`${name}: Ollama ${answers} answers and ${version} is wanted, but ${why} to change`]
}

interface Look {
  readonly ollama: WantedOllama
  readonly facts: Facts
  readonly plan: Plan
  readonly texts: Setup['texts']
}

function changesOf({ollama, facts, plan, texts}: Look): KeyChange[] {
  const {answers} = facts.ollama
  const changes: KeyChange[] = []
  if (answers === undefined) changes.push({key: 'service', wanted: 'running', actual: undefined})
  if (ollama.version !== undefined && answers !== ollama.version)
    changes.push({key: 'version', wanted: ollama.version, actual: answers})
  const before = envIn(texts.map(({actual}) => actual).join('\n'))
  const after: Record<string, string> = serviceEnv({port: plan.port, env: ollama.env ?? {}})
  if (!texts.some(({wanted}) => /OLLAMA_HOST/.test(wanted))) return changes
  for (const key of new Set([...Object.keys(before), ...Object.keys(after)]))
    if (before[key] !== after[key])
      changes.push({key: `env.${key}`, wanted: after[key], actual: before[key]})
  return changes
}

/** The files that the plan would write, beside what they hold now. */
function textsOf(plan: Plan, facts: Facts): Setup['texts'] {
  const there = plan.install === 'user' ? facts.own : facts.system
  return plan.actions.flatMap(({script, args}) => {
    const [, kind = '', path, wanted] = args
    if (script !== WRITE || path === undefined || wanted === undefined) return []
    return [{path, actual: textOf(kind, there) ?? '', wanted}]
  })
}

function textOf(kind: string, {unitText, dropInText, supervisorText, plistText}: Installation) {
  const all: Readonly<Record<string, string | undefined>> = {
    unit: unitText,
    dropin: dropInText,
    supervisor: supervisorText,
    plist: plistText,
  }
  return all[kind]
}

/** The variables that one of our files sets: a drop-in, a supervisor or a property list. */
function envIn(text: string): Record<string, string> {
  const env: Record<string, string> = {}
  for (const [, name = '', value = ''] of text.matchAll(/^Environment="(\w+)=(.*)"$/gm))
    env[name] = value.replaceAll(/\\(.)/g, '$1').replaceAll('%%', '%')
  for (const [, name = '', value = ''] of text.matchAll(/^(\w+)='(.*)'; export \1$/gm))
    env[name] = value.replaceAll("'\\''", "'")
  for (const [, name = '', value = ''] of text.matchAll(
    /<key>(OLLAMA_\w+)<\/key>\s*<string>([^<]*)<\/string>/g,
  ))
    env[name] = value
  return env
}
