/** A part of a Markdown text that stands by itself: whatever comes behind it no longer changes how it looks. */
export type Block = {
  /** An empty line is to be shown before it. */
  readonly gap: boolean
} & (
  | {readonly kind: 'text'; readonly source: string}
  /** One item of a list with all that is in it. `number`: of a numbered list, counted on. */
  | {readonly kind: 'item'; readonly source: string; readonly number?: number}
  /** Some lines of a fenced block; `before`: lines of it that came before, for the highlighter. */
  | {
      readonly kind: 'code'
      readonly language: string
      readonly before: readonly string[]
      readonly lines: readonly string[]
      readonly first: boolean
    }
)

/** Lines of code that become final together. */
const CODE_LINES = 8
/** The highlighter looks back this far: enough for comments and strings, and the work per line stays bounded. */
const CODE_BEFORE = 128

const FENCE = /^( {0,3})(`{3,}|~{3,}) *([^`\s]*)[^`]*$/
const HEADING = /^ {0,3}#{1,6}( |$)/
const RULE = /^ {0,3}([-*_])( *\1){2,} *$/
const UNDERLINE = /^ {0,3}(-+|=+) *$/
const ITEM = /^( {0,3})([-*+]|\d{1,9}[.)])( +|$)/
const QUOTE = /^ {0,3}>/

interface Fence {
  readonly mark: string
  readonly indent: number
}

interface Open {
  readonly kind: 'text' | 'quote' | 'item'
  readonly gap: boolean
  readonly lines: string[]
  /** Of an item: where its content begins. */
  readonly indent: number
  readonly number?: number
  /** Of an item: a fence that is open inside it. */
  fence?: Fence | undefined
}

interface OpenCode {
  readonly fence: Fence
  readonly language: string
  readonly gap: boolean
  readonly before: string[]
  lines: string[]
  first: boolean
}

/**
 * Cuts Markdown into blocks while it comes, line by line. What is final is decided from whole lines alone, so it does not
 * depend on the pieces in which the text came. (A parser that sees only a beginning cannot tell what of it is final.)
 */
export class BlockCutter {
  #open: Open | undefined
  #code: OpenCode | undefined
  /** Of the list that goes on: its kind of mark and the last number. */
  #list: {readonly mark: string; readonly number: number} | undefined
  #blank = false
  #any = false

  /** Takes one line without its end; gives what is final now. */
  line(line: string): Block[] {
    if (this.#code) return this.#codeLine(this.#code, line)
    const open = this.#open
    if (open?.fence) {
      open.lines.push(line)
      if (closes(open.fence, line)) open.fence = undefined
      return []
    }
    if (line.trim() === '') return this.#blankLine()
    if (open?.kind === 'item') {
      const indent = indentOf(line)
      if (indent >= open.indent) return this.#insideItem(open, line)
      // Models indent what is below a number as if it stood below a dash.
      if (indent >= 2 && ITEM.test(line))
        return this.#insideItem(open, line.padStart(line.length + open.indent - indent))
    }
    return this.#newLine(line)
  }

  /** The text is over: what is left is final. The cutter may not be used any more. */
  end(): Block[] {
    if (this.#code)
      return this.#code.lines.length > 0 || this.#code.first ? [this.#codeBlock(this.#code)] : []
    return this.#close()
  }

  /** A cutter in the same state, to look ahead with. */
  clone(): BlockCutter {
    const copy = new BlockCutter()
    copy.#open = this.#open && {...this.#open, lines: [...this.#open.lines]}
    copy.#code = this.#code && {
      ...this.#code,
      before: [...this.#code.before],
      lines: [...this.#code.lines],
    }
    copy.#list = this.#list
    copy.#blank = this.#blank
    copy.#any = this.#any
    return copy
  }

  #blankLine(): Block[] {
    this.#blank = true
    // An item may go on behind an empty line; anything else ends there.
    if (this.#open?.kind !== 'item') return this.#close()
    this.#open.lines.push('')
    return []
  }

  #insideItem(item: Open, line: string): Block[] {
    const fence = FENCE.exec(line.slice(item.indent))
    if (fence) item.fence = fenceOf(fence)
    item.lines.push(line)
    this.#blank = false
    return []
  }

  #newLine(line: string): Block[] {
    const open = this.#open
    const fence = FENCE.exec(line)
    if (fence) {
      const done = this.#close()
      this.#code = {
        fence: fenceOf(fence),
        language: fence[3] ?? '',
        gap: this.#begin(),
        before: [],
        lines: [],
        first: true,
      }
      return done
    }
    if (open?.kind === 'text' && UNDERLINE.test(line)) {
      open.lines.push(line)
      return this.#close()
    }
    if (HEADING.test(line) || RULE.test(line)) {
      const done = this.#close()
      return [...done, {kind: 'text', gap: this.#begin(), source: line}]
    }
    const item = ITEM.exec(line)
    if (item && this.#mayBeginItem(item)) return this.#newItem(item, line)
    if (open && !this.#blank && (open.kind !== 'text' || !QUOTE.test(line))) {
      open.lines.push(line)
      return []
    }
    const done = this.#close()
    const kind = QUOTE.test(line) ? 'quote' : 'text'
    this.#open = {kind, gap: this.#begin(), lines: [line], indent: 0}
    return done
  }

  /** A number in the middle of a paragraph is a list only if it is 1, and an empty mark is none. */
  #mayBeginItem([whole, , mark = '', space]: RegExpExecArray): boolean {
    if (this.#open?.kind !== 'text' || this.#blank) return true
    return /^([-*+]|1[.)])$/.test(mark) && space !== '' && whole !== ''
  }

  #newItem([whole, before = '', mark = '', space = '']: RegExpExecArray, line: string): Block[] {
    const blank = this.#blank
    const follows = this.#open?.kind === 'item' || this.#list !== undefined
    const done = this.#close()
    const kind = mark.replace(/\d+/, '1')
    const list = follows && this.#list?.mark === kind ? this.#list : undefined
    const numbered = /\d/.test(mark)
    const number = numbered ? (list ? list.number + 1 : Number.parseInt(mark, 10)) : undefined
    const gap = list && !blank ? false : this.#any
    this.#any = true
    this.#blank = false
    this.#list = {mark: kind, number: number ?? 0}
    // Content that begins far behind the mark is code, in content that begins right behind it.
    const indent = before.length + mark.length + (space.length > 4 ? 1 : Math.max(1, space.length))
    const fence = FENCE.exec(line.slice(whole.length))
    this.#open = {
      kind: 'item',
      gap,
      lines: [line],
      indent,
      ...(number === undefined ? {} : {number}),
      ...(fence ? {fence: fenceOf(fence)} : {}),
    }
    return done
  }

  #codeLine(code: OpenCode, line: string): Block[] {
    if (closes(code.fence, line)) {
      const rest = code.lines.length > 0 || code.first ? [this.#codeBlock(code)] : []
      this.#code = undefined
      return rest
    }
    const spare = Math.min(indentOf(line), code.fence.indent)
    code.lines.push(line.slice(spare))
    if (code.lines.length < CODE_LINES) return []
    const block = this.#codeBlock(code)
    code.before.push(...code.lines)
    code.before.splice(0, Math.max(0, code.before.length - CODE_BEFORE))
    code.lines = []
    code.first = false
    return [block]
  }

  #codeBlock({language, before, lines, first, gap}: OpenCode): Block {
    return {
      kind: 'code',
      language,
      before: [...before],
      lines: [...lines],
      first,
      gap: first && gap,
    }
  }

  /** Something other than an item begins: whether an empty line is before it. */
  #begin(): boolean {
    const gap = this.#any
    this.#any = true
    this.#blank = false
    this.#list = undefined
    return gap
  }

  #close(): Block[] {
    const open = this.#open
    this.#open = undefined
    if (!open) return []
    const {gap, number} = open
    const source = open.lines.join('\n').trimEnd()
    if (open.kind !== 'item') return [{kind: 'text', gap, source}]
    return [{kind: 'item', gap, source, ...(number === undefined ? {} : {number})}]
  }
}

const indentOf = (line: string) => line.length - line.trimStart().length

const fenceOf = ([, indent = '', mark = '']: RegExpExecArray): Fence => ({
  mark,
  indent: indent.length,
})

function closes({mark}: Fence, line: string): boolean {
  const text = line.trim()
  return text.length >= mark.length && text === (mark[0] ?? '').repeat(text.length)
}
