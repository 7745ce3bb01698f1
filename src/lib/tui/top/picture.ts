import {formatAge} from '../../cluster/format.ts'
import {KEYMAP, worksIn} from './keymap.ts'
import {fitLine, type Segment, type TextLine} from './lines.ts'
import {listingIn} from './listing.ts'
import {candidates, filterIn} from './on-prompt.ts'
import {
  bodyRows,
  isView,
  LEAST,
  listRows,
  type Place,
  type Prompt,
  placeIn,
  shownIn,
  type TopState,
  tooSmall,
  VIEWS,
  type ViewName,
} from './state.ts'
import {summaryLines} from './summary.ts'
import {clean, sized, sizedEnd, widthOf} from './text.ts'
import {textOf} from './text-of.ts'
import type {Theme} from './theme.ts'

/** The whole picture: as many lines as the terminal has, each exactly as wide as it. Pure. */
export function picture(state: TopState, theme: Theme): readonly string[] {
  const {columns, rows} = state.size
  if (tooSmall(state)) return tooSmallLines(state)
  const body = bodyLines(state, theme).slice(0, bodyRows(state))
  while (body.length < bodyRows(state)) body.push(' '.repeat(columns))
  return [
    titleLine(state, theme),
    tabsLine(state, theme),
    ...body,
    statusLine(state, theme),
    keysLine(state, theme),
  ].slice(0, rows)
}

function tooSmallLines({size: {columns, rows}}: TopState): string[] {
  const text = `${columns}x${rows}: too small, ${LEAST.columns}x${LEAST.rows} needed; q leaves`
  return Array.from({length: rows}, (_, at) => sized(at === 0 ? text : '', columns))
}

/** Where we are, where it comes from, and how old it is. */
function titleLine(state: TopState, theme: Theme): string {
  const {cluster, size, fleet, nowMs} = state
  const left = ` ollamax top  ${clean(cluster)}  ${sourceText(state)}`
  const {text, tone} = linkText(state)
  const age = fleet.atMs === 0 ? '' : ` ${formatAge(nowMs - fleet.atMs)} `
  const right = `${text}${state.link?.state === 'lost' ? age : ' '}`
  const room = Math.max(0, size.columns - widthOf(right))
  return (
    theme.paint('title', sized(left, room)) +
    theme.paint('title', theme.paint(tone, sized(right, size.columns - room)))
  )
}

function sourceText({link}: TopState): string {
  if (!link) return ''
  return link.source.kind === 'gateway'
    ? `gateway ${clean(link.source.url)}`
    : `nodes directly (${clean(link.source.why)})`
}

function linkText({link, fleet, nowMs}: TopState): {text: string; tone: 'good' | 'bad' | 'warn'} {
  if (link?.state === 'lost') return {text: ' LOST, trying again; data of', tone: 'bad'}
  if (link?.state === 'live' && fleet.atMs > 0) {
    // A source that says that it lives and brings nothing is told apart from one that does.
    const silentMs = nowMs - fleet.atMs
    return silentMs > STALE_MS
      ? {text: ` no news for ${formatAge(silentMs)}`, tone: 'warn'}
      : {text: ' live', tone: 'good'}
  }
  return {text: ' connecting ...', tone: 'warn'}
}

/** A source that is alive says something at least this often. */
const STALE_MS = 5000

function tabsLine(state: TopState, theme: Theme): string {
  const base = state.stack[0].place.kind
  const {columns} = state.size
  const tab = (view: ViewName, at: number): Segment[] => [
    {text: ' '},
    base === view
      ? {text: `[${at + 1} ${view}]`, tone: 'strong'}
      : {text: ` ${at + 1} ${view} `, tone: 'dim'},
  ]
  const path: Segment = {
    text: state.stack
      .slice(1)
      .map(({place}) => ` > ${clean(nameOf(place))}`)
      .join(''),
    tone: 'accent',
  }
  const all = VIEWS.flatMap(tab)
  const wide = [...all, path].reduce((sum, {text}) => sum + widthOf(text), 0)
  // Where we are matters more than where else one could go.
  const tabs =
    wide <= columns ? all : VIEWS.flatMap((view, at) => (base === view ? tab(view, at) : []))
  return fitLine([...tabs, path], columns, theme)
}

function nameOf(place: Place): string {
  if (place.kind === 'request') return `request ${place.id}`
  return 'name' in place ? `${place.kind} ${place.name}` : place.kind
}

function bodyLines(state: TopState, theme: Theme): string[] {
  const place = placeIn(state)
  const {columns: width} = state.size
  if (isView(place.kind)) return viewLines(state, place.kind, theme)
  const {first, lines} = textOf(state)
  const rows = bodyRows(state)
  const last = first + Math.max(0, lines.length - rows)
  const top = Math.max(first, Math.min(last, shownIn(state).scroll ?? last)) - first
  const shown = lines.slice(top, top + rows)
  if (place.kind === 'logs' && lines.length === 0)
    shown.push([{text: 'waiting for the log ...', tone: 'dim'}])
  return shown.map((line) => fitLine(line, width, theme))
}

function viewLines(state: TopState, view: ViewName, theme: Theme): string[] {
  const {columns: width} = state.size
  const above = view === 'overview' ? summaryLines(state, theme) : []
  const listing = listingIn(state, view)
  const {selected, top, filter} = state.lists[view]
  const rows = listRows(state, view)
  const drawn = listing.draw({width, rows, top, selected, theme, nowMs: state.nowMs})
  if (listing.ids.length === 0) {
    const why =
      filter !== '' && listing.total > 0
        ? `nothing of ${listing.total} fits the filter`
        : EMPTY[view]
    drawn.push(
      fitLine(
        [
          {
            text: `  ${state.fleet.atMs === 0 ? 'waiting for the first news ...' : why}`,
            tone: 'dim',
          },
        ],
        width,
        theme,
      ),
    )
  }
  return [...above, ...drawn]
}

const EMPTY: Readonly<Record<ViewName, string>> = {
  overview: 'every node is well',
  nodes: 'no nodes yet; add one: ollamax node add user@host',
  models: 'no models yet; pull one to a node with p',
  requests: 'no requests now (without a gateway none can be seen)',
  events: 'nothing has happened yet',
}

/** What is typed or asked, else what has happened, what is being done, where the list stands. */
function statusLine(state: TopState, theme: Theme): string {
  const {prompt, told, size, link} = state
  if (prompt) return promptLine(state, prompt, theme)
  if (told) return fitLine([{text: ` ${told.text}`, tone: told.tone}], size.columns, theme)
  if (link?.state === 'lost')
    return fitLine([{text: ` ${link.reason}`, tone: 'bad'}], size.columns, theme)
  const doing = Object.entries(state.doing).map(([subject, text]) => `${subject}: ${text}`)
  if (doing.length > 0)
    return fitLine([{text: ` ${doing.join('; ')}`, tone: 'accent'}], size.columns, theme)
  return fitLine([{text: ` ${standing(state)}`, tone: 'dim'}], size.columns, theme)
}

function standing(state: TopState): string {
  const {kind} = placeIn(state)
  const filter = filterIn(state)
  const filtered = filter === '' ? '' : `  filter: ${filter} (esc takes it away)`
  if (!isView(kind)) {
    const {scroll} = shownIn(state)
    const polls = state.logs?.polls ? `; ${state.logs.polls} polls left out` : ''
    return kind === 'logs'
      ? `${scroll === undefined ? 'following' : 'stopped; G follows'}${polls}${filtered}`
      : ''
  }
  const {ids, total} = listingIn(state, kind)
  const {index} = state.lists[kind]
  const of = ids.length === total ? `${total}` : `${ids.length} of ${total}`
  return `${ids.length === 0 ? 0 : index + 1}/${of}${filtered}`
}

function promptLine(state: TopState, prompt: Prompt, theme: Theme): string {
  const {columns} = state.size
  if (prompt.kind === 'confirm')
    return fitLine([{text: ` ${prompt.question} y/N `, tone: 'warn'}], columns, theme)
  const before =
    prompt.kind === 'command' ? ':' : prompt.kind === 'filter' ? '/' : `pull to ${prompt.node}: `
  const typed = clean(prompt.text)
  const room = columns - widthOf(clean(before)) - 3
  const shown = widthOf(typed) > room ? sizedEnd(typed, room) : typed
  const hints = candidates(state, prompt, prompt.cycle?.base ?? prompt.text)
  const others = hints.map((hint) => hint.split(' ').at(-1) ?? '').join(' ')
  const line: TextLine = [
    {text: ` ${before}`, tone: 'accent'},
    {text: shown, tone: 'strong'},
    {text: '_', tone: 'strong'},
    {text: others === '' ? '' : `   ${others}`, tone: 'dim'},
  ]
  return fitLine(line, columns, theme)
}

/** The keys that work here, as many as have room. */
function keysLine(state: TopState, theme: Theme): string {
  const place = placeIn(state)
  const {columns} = state.size
  const line: Segment[] = [{text: ' '}]
  let left = columns - 1
  for (const binding of state.prompt ? [] : KEYMAP) {
    if (binding.label === undefined || !worksIn(binding, place)) continue
    const wide = widthOf(`${binding.keys[0]} ${binding.label}  `)
    if (wide > left) continue
    left -= wide
    line.push(
      {text: `${binding.keys[0]}`, tone: 'accent'},
      {text: ` ${binding.label}  `, tone: 'dim'},
    )
  }
  if (state.prompt) line.push({text: promptKeys(state.prompt), tone: 'dim'})
  return fitLine(line, columns, theme)
}

function promptKeys({kind}: Prompt): string {
  if (kind === 'confirm') return 'y does it, every other key does not'
  return kind === 'filter'
    ? 'enter keeps it, esc does not'
    : 'tab completes, enter does it, esc does not'
}
