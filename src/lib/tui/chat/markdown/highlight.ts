import hljs from 'highlight.js/lib/core'
import bash from 'highlight.js/lib/languages/bash'
import c from 'highlight.js/lib/languages/c'
import cpp from 'highlight.js/lib/languages/cpp'
import csharp from 'highlight.js/lib/languages/csharp'
import css from 'highlight.js/lib/languages/css'
import diff from 'highlight.js/lib/languages/diff'
import dockerfile from 'highlight.js/lib/languages/dockerfile'
import go from 'highlight.js/lib/languages/go'
import ini from 'highlight.js/lib/languages/ini'
import java from 'highlight.js/lib/languages/java'
import javascript from 'highlight.js/lib/languages/javascript'
import json from 'highlight.js/lib/languages/json'
import kotlin from 'highlight.js/lib/languages/kotlin'
import lua from 'highlight.js/lib/languages/lua'
import makefile from 'highlight.js/lib/languages/makefile'
import markdown from 'highlight.js/lib/languages/markdown'
import php from 'highlight.js/lib/languages/php'
import powershell from 'highlight.js/lib/languages/powershell'
import python from 'highlight.js/lib/languages/python'
import ruby from 'highlight.js/lib/languages/ruby'
import rust from 'highlight.js/lib/languages/rust'
import shell from 'highlight.js/lib/languages/shell'
import sql from 'highlight.js/lib/languages/sql'
import swift from 'highlight.js/lib/languages/swift'
import typescript from 'highlight.js/lib/languages/typescript'
import xml from 'highlight.js/lib/languages/xml'
import yaml from 'highlight.js/lib/languages/yaml'
import {PLAIN, type Row, type Span, type Style, span} from '../spans.ts'

/** What models write most; each costs some kilobytes of the bundle, and any other is shown plain. */
const LANGUAGES = {
  bash,
  c,
  cpp,
  csharp,
  css,
  diff,
  dockerfile,
  go,
  ini,
  java,
  javascript,
  json,
  kotlin,
  lua,
  makefile,
  markdown,
  php,
  powershell,
  python,
  ruby,
  rust,
  shell,
  sql,
  swift,
  typescript,
  xml,
  yaml,
}

for (const [name, language] of Object.entries(LANGUAGES)) hljs.registerLanguage(name, language)

/** The classes of highlight.js that are told apart; of the others the text is shown as it is. */
const STYLES: Readonly<Record<string, Style>> = {
  keyword: {hue: 'magenta'},
  built_in: {hue: 'cyan'},
  type: {hue: 'cyan'},
  literal: {hue: 'yellow'},
  number: {hue: 'yellow'},
  string: {hue: 'green'},
  regexp: {hue: 'green'},
  symbol: {hue: 'yellow'},
  comment: {dim: true, italic: true},
  quote: {dim: true, italic: true},
  doctag: {dim: true, bold: true},
  meta: {hue: 'yellow'},
  title: {hue: 'blue'},
  section: {hue: 'blue', bold: true},
  name: {hue: 'magenta'},
  tag: {},
  attr: {hue: 'cyan'},
  attribute: {hue: 'cyan'},
  property: {hue: 'cyan'},
  variable: {hue: 'red'},
  'template-variable': {hue: 'red'},
  subst: {},
  bullet: {hue: 'yellow'},
  link: {underline: true},
  strong: {bold: true},
  emphasis: {italic: true},
  addition: {hue: 'green'},
  deletion: {hue: 'red'},
  'selector-tag': {hue: 'magenta'},
  'selector-class': {hue: 'cyan'},
  'selector-id': {hue: 'cyan'},
}

const PART = /<span class="([^"]*)">|<\/span>|&(amp|lt|gt|quot|#x27);|[^<&]+/g
const ENTITIES: Readonly<Record<string, string>> = {
  amp: '&',
  lt: '<',
  gt: '>',
  quot: '"',
  '#x27': "'",
}

/** Code as rows of coloured spans, one per line of it; plain where the language is not known. */
export function highlight(code: string, language: string): Row[] {
  const name = language.toLowerCase()
  if (!name || !hljs.getLanguage(name)) return plain(code)
  let html: string
  try {
    html = hljs.highlight(code, {language: name, ignoreIllegals: true}).value
  } catch {
    // A grammar that stumbles over what a model wrote is no reason not to show it.
    return plain(code)
  }
  const rows: Span[][] = [[]]
  const styles: Style[] = [PLAIN]
  for (const [whole, names, entity] of html.matchAll(PART)) {
    if (names !== undefined) styles.push(styleOf(names) ?? styles.at(-1) ?? PLAIN)
    else if (whole === '</span>') styles.pop()
    else {
      const text = entity === undefined ? whole : (ENTITIES[entity] ?? '')
      const style = styles.at(-1) ?? PLAIN
      text.split('\n').forEach((part, at) => {
        if (at > 0) rows.push([])
        if (part !== '') rows.at(-1)?.push(span(part, style))
      })
    }
  }
  return rows
}

const plain = (code: string): Row[] => code.split('\n').map((line) => [span(line)])

/** `hljs-title function_` is a title. */
function styleOf(names: string): Style | undefined {
  const name = (names.split(' ')[0] ?? '').replace(/^hljs-/, '')
  return Object.hasOwn(STYLES, name) ? STYLES[name] : undefined
}
