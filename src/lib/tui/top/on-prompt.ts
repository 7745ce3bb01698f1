import {
  completions,
  parseCommand,
  type TopCommand,
  unknownName,
  usageOf,
  valuesOf,
  viewNamed,
} from './command-line.ts'
import {columnsOf} from './listing.ts'
import {
  isView,
  type ListState,
  type Prompt,
  placeIn,
  type TopState,
  type ViewName,
} from './state.ts'
import {clean} from './text.ts'
import {goTo, type NodeWish, type Step, step, tell, wishFor} from './wishes.ts'

/** Longest line that can be typed. */
const MAX_TYPED = 400

/** What a key does while something is typed or asked. `key`: its name, or the character itself. */
export function onPromptKey(state: TopState, prompt: Prompt, key: string): Step {
  const {prompt: _, ...closed} = state
  if (prompt.kind === 'confirm') {
    // Whatever is not a clear yes is a no.
    return key === 'y' || key === 'Y'
      ? step(closed, prompt.effect)
      : step(tell(closed, 'nothing was done'))
  }
  if (key === 'esc' || key === 'ctrl+c')
    return step(prompt.kind === 'filter' ? withFilter(closed, prompt.before) : closed)
  if (key === 'enter') return submit(closed, prompt)
  if (key === 'tab' || key === 'shift+tab')
    return step({...state, prompt: completed(state, prompt, key === 'tab' ? 1 : -1)})
  const text = edited(prompt.text, key)
  // One backspace too many closes the line, as in vi.
  if (text === undefined) return step(prompt.kind === 'filter' ? withFilter(closed, '') : closed)
  const {cycle: __, ...typed} = prompt
  const next: TopState = {...state, prompt: {...typed, text}}
  return step(prompt.kind === 'filter' ? withFilter(next, text) : next)
}

function edited(text: string, key: string): string | undefined {
  if (key === 'backspace' || key === 'delete')
    return text === '' ? undefined : [...text].slice(0, -1).join('')
  if (key === 'ctrl+u') return ''
  if (key === 'ctrl+w') return text.replace(/\S*\s*$/, '')
  if (key === 'space') return `${text} `
  // Names of keys are longer than one letter; what they would do is not for a line of text.
  return [...key].length === 1 ? clean(text + key).slice(0, MAX_TYPED) : text
}

/** Candidates for what stands there, whole. */
export function candidates(state: TopState, prompt: Prompt, text: string): readonly string[] {
  if (prompt.kind === 'command') return completions(state, text)
  if (prompt.kind !== 'pull') return []
  return valuesOf(state, 'model').filter((name) => name.startsWith(text))
}

function completed(
  state: TopState,
  prompt: Exclude<Prompt, {kind: 'confirm'}>,
  by: 1 | -1,
): Prompt {
  const base = prompt.cycle?.base ?? prompt.text
  const all = candidates(state, prompt, base)
  if (all.length === 0) return prompt
  const at = prompt.cycle ? prompt.cycle.at + by : by === 1 ? 0 : -1
  const text = all[((at % all.length) + all.length) % all.length] ?? base
  // The only one is what was meant: what follows is typed after it.
  if (all.length === 1 && prompt.kind === 'command') {
    const {cycle: _, ...rest} = prompt
    return {...rest, text: takesMore(text) ? `${text} ` : text}
  }
  return {...prompt, text, cycle: {base, at}}
}

function takesMore(line: string): boolean {
  const parsed = parseCommand(line)
  return 'command' in parsed && parsed.args.length < parsed.command.args.length
}

function submit(state: TopState, prompt: Exclude<Prompt, {kind: 'confirm'}>): Step {
  const text = prompt.text.trim()
  if (prompt.kind === 'filter') return step(withFilter(state, text))
  if (text === '') return step(state)
  if (prompt.kind === 'pull') return step(state, {kind: 'pull', node: prompt.node, model: text})
  const parsed = parseCommand(text)
  if ('problem' in parsed) return step(tell(state, parsed.problem, 'bad'))
  return run(state, parsed.command, parsed.args)
}

function run(state: TopState, command: TopCommand, args: readonly string[]): Step {
  const view = viewNamed(command.name)
  if (view) return goTo(state, {kind: view})
  const [first] = args
  switch (command.name) {
    case 'help':
      return goTo(state, {kind: 'help'})
    case 'quit':
      return step(state, {kind: 'quit'})
    case 'sort':
      return first === undefined ? step(tell(state, usageOf(command))) : sortedBy(state, first)
    case 'node':
    case 'model': {
      if (first === undefined) return step(tell(state, usageOf(command)))
      if (!valuesOf(state, command.name).includes(first))
        return step(tell(state, unknownName(state, command.name, first), 'bad'))
      return goTo(state, {kind: command.name, name: first})
    }
    case 'pull':
      return pull(state, command, args)
    default:
      if (first !== undefined && !state.fleet.nodes.has(first))
        return step(tell(state, unknownName(state, 'node', first), 'bad'))
      return wishFor(state, command.name as NodeWish, first)
  }
}

function pull(state: TopState, command: TopCommand, [model, named]: readonly string[]): Step {
  const asked = named === undefined ? wishFor(state, 'pull') : wishFor(state, 'pull', named)
  const {prompt} = asked.state
  if (model === undefined || prompt?.kind !== 'pull')
    return model === undefined && named === undefined && prompt === undefined
      ? step(tell(state, usageOf(command)))
      : asked
  return step(state, {kind: 'pull', node: prompt.node, model})
}

/** Sorts the view that is shown; the same column again turns the order around. */
export function sortedBy(state: TopState, id: string): Step {
  const {kind} = placeIn(state)
  if (!isView(kind)) return step(tell(state, 'only a list can be sorted'))
  const column = columnsOf(kind).find((one) => one.id === id)
  if (!column) return step(tell(state, unknownName(state, 'column', id), 'bad'))
  const {sort} = state.lists[kind]
  const descending = sort?.column === id ? !sort.descending : false
  return step(
    withList(state, kind, {...state.lists[kind], sort: {column: id, descending}, top: 0, index: 0}),
  )
}

export const withList = (state: TopState, view: ViewName, list: ListState): TopState => ({
  ...state,
  lists: {...state.lists, [view]: list},
})

/** The filter of what is shown. */
export function filterIn(state: TopState): string {
  const {kind} = placeIn(state)
  return isView(kind) ? state.lists[kind].filter : kind === 'logs' ? state.logsFilter : ''
}

export function withFilter(state: TopState, filter: string): TopState {
  const {kind} = placeIn(state)
  if (kind === 'logs') return {...state, logsFilter: filter}
  return isView(kind) ? withList(state, kind, {...state.lists[kind], filter}) : state
}
