import type {Token, Tokens} from 'marked'
import {type Look, PLAIN, type Span, type Style, span} from '../spans.ts'

/** Named in answers often enough; numbers are left as they are, because they can name a control character. */
const ENTITIES: Readonly<Record<string, string>> = {
  amp: '&',
  lt: '<',
  gt: '>',
  quot: '"',
  apos: "'",
  '#39': "'",
  nbsp: ' ',
}

const decode = (text: string) =>
  text.replace(/&(amp|lt|gt|quot|apos|#39|nbsp);/g, (_, name: string) => ENTITIES[name] ?? '')

/** Running text as spans. */
export function inline(tokens: readonly Token[], look: Look, style: Style = PLAIN): Span[] {
  return tokens.flatMap((token) => one(token as Tokens.Generic, look, style))
}

function one(token: Tokens.Generic, look: Look, style: Style): Span[] {
  const inner = (more: Style) => inline(token.tokens ?? [], look, {...style, ...more})
  switch (token.type) {
    case 'strong':
      return inner({bold: true})
    case 'em':
      return inner({italic: true})
    case 'del':
      return inner({strike: true})
    case 'codespan':
      // Without colours the marks are what tells it apart.
      return [span(look.color ? token.text : token.raw, {...style, hue: 'cyan'})]
    case 'br':
      return [span('\n', style)]
    case 'checkbox':
      return [span(token.checked ? '[x] ' : '[ ] ', style)]
    case 'link':
      return link(token, look, style)
    case 'image':
      return link(
        {...token, tokens: [{type: 'text', raw: '', text: `image: ${token.text || 'unnamed'}`}]},
        look,
        style,
      )
    case 'escape':
      return [span(token.text, style)]
    case 'html':
      return /^<br *\/?>$/i.test(token.raw.trim()) ? [span('\n', style)] : [span(token.raw, style)]
    default:
      if (token.tokens && token.type === 'text') return inner({})
      return [span(decode(token.text ?? token.raw), style)]
  }
}

/** As a link where the terminal knows them; elsewhere its target is written behind it. */
function link(token: Tokens.Generic, look: Look, style: Style): Span[] {
  const href = String(token.href ?? '')
  const text = inline(token.tokens ?? [], look, {...style, underline: true, href})
  const shown = text.map((part) => part.text).join('')
  if (look.links || shown === href || `mailto:${shown}` === href) return text
  return [...text, span(` (${href})`, {...style, dim: true})]
}
