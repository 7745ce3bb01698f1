import {Lexer, type Token, type Tokens} from 'marked'
import {type Look, type Row, type Span, type Style, span, widthOf} from '../spans.ts'
import {chopSpans, wrapSpans} from '../wrap.ts'
import type {Block} from './blocks.ts'
import {highlight} from './highlight.ts'
import {inline} from './inline.ts'
import {tableRows} from './table.ts'

/** Below so many columns nothing is indented any more. */
const LEAST_WIDTH = 12
const DIM: Style = {dim: true}

interface Place {
  readonly width: number
  readonly look: Look
}

/** A block as rows of at most `width` columns. */
export function blockRows(block: Block, width: number, look: Look): Row[] {
  const place = {width, look}
  const rows = block.kind === 'code' ? codeRows(block, place) : sourceRows(block, place)
  return block.gap ? [[], ...rows] : rows
}

function sourceRows(block: Exclude<Block, {kind: 'code'}>, place: Place): Row[] {
  try {
    const tokens = new Lexer({gfm: true, breaks: true}).lex(block.source)
    return tokensRows(tokens, place, block.kind === 'item' ? block.number : undefined)
  } catch {
    // Nested a thousand times, say: shown as it was written.
    return wrapSpans([span(block.source)], place.width)
  }
}

/** Blocks one below the other, an empty row between them. */
function tokensRows(tokens: readonly Token[], place: Place, number?: number, tight = false): Row[] {
  const all: Row[] = []
  let spaced = false
  for (const token of tokens) {
    if (token.type === 'space') {
      spaced = true
      continue
    }
    const rows = tokenRows(token as Tokens.Generic, place, number)
    if (rows.length === 0) continue
    if (all.length > 0 && (spaced || !tight)) all.push([])
    spaced = false
    all.push(...rows)
  }
  return all
}

function tokenRows(token: Tokens.Generic, place: Place, number?: number): Row[] {
  const {width, look} = place
  switch (token.type) {
    case 'heading':
      return heading(token as Tokens.Heading, place)
    case 'code':
      return [
        ...codeHead(token.lang ?? '', place),
        ...highlight(token.text, token.lang ?? '').flatMap((row) => chopSpans(row, width)),
      ]
    case 'table':
      return tableRows(token as Tokens.Table, width, look)
    case 'hr':
      return [[span('─'.repeat(Math.min(width, 40)), DIM)]]
    case 'blockquote':
      return indented(place, [span('│ ', DIM)], [span('│ ', DIM)], (inner) =>
        tokensRows(token.tokens ?? [], inner),
      )
    case 'list':
      return list(token as Tokens.List, place, number)
    case 'paragraph':
    case 'text':
      return wrapSpans(inline(token.tokens ?? [token as Token], look), width)
    default:
      return wrapSpans([span(token.raw.trimEnd())], width)
  }
}

function heading(token: Tokens.Heading, {width, look}: Place): Row[] {
  const style: Style = {bold: true, ...(token.depth === 1 ? {underline: true} : {})}
  const marks = look.color ? [] : [span(`${'#'.repeat(token.depth)} `)]
  return wrapSpans([...marks, ...inline(token.tokens, look, {...style, hue: 'magenta'})], width)
}

function list(token: Tokens.List, place: Place, number?: number): Row[] {
  const first = number ?? (typeof token.start === 'number' ? token.start : 1)
  return token.items.flatMap((item, at) => {
    const task = item.tokens.find(({type}) => type === 'checkbox')
    const box = task ? (item.checked ? '[x] ' : '[ ] ') : ''
    const mark = `${token.ordered ? `${first + at}.` : '•'} ${box}`
    const rest = ' '.repeat(widthOf(mark))
    const rows = indented(place, [span(mark, {hue: 'cyan'})], [span(rest)], (inner) =>
      tokensRows(
        item.tokens.filter((one) => one !== task),
        inner,
        undefined,
        true,
      ),
    )
    return at > 0 && token.loose ? [[], ...rows] : rows
  })
}

/** Rows with something before them, if there is room for that. */
function indented(
  place: Place,
  first: readonly Span[],
  rest: readonly Span[],
  inner: (place: Place) => Row[],
): Row[] {
  const taken = widthOf(first.map(({text}) => text).join(''))
  const narrow = place.width - taken < LEAST_WIDTH
  const rows = inner(narrow ? place : {...place, width: place.width - taken})
  if (narrow) return rows
  return (rows.length > 0 ? rows : [[]]).map((row, at) => [...(at === 0 ? first : rest), ...row])
}

function codeRows(block: Extract<Block, {kind: 'code'}>, place: Place): Row[] {
  const code = [...block.before, ...block.lines].join('\n')
  const rows =
    block.lines.length > 0 ? highlight(code, block.language).slice(block.before.length) : []
  return [
    ...(block.first ? codeHead(block.language, place) : []),
    ...rows.flatMap((row) => chopSpans(row, place.width)),
  ]
}

/** Nothing stands before the code itself, so that it can be taken from the screen as it is. */
function codeHead(language: string, {width}: Place): Row[] {
  const label = language ? `── ${language} ──` : '──'
  return wrapSpans([span(label, DIM)], width)
}
