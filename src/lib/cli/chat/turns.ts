import type {ChatSession, SaidMessage} from '../chat-session.ts'

/** The conversation with one more question; one that was not answered makes room for it. */
export function withQuestion(session: ChatSession, question: SaidMessage): ChatSession {
  return {...session, messages: [...answered(session).messages, question]}
}

/** Without a question at the end that was not answered. */
export function answered(session: ChatSession): ChatSession {
  const {messages} = session
  return messages.at(-1)?.role === 'user' ? {...session, messages: messages.slice(0, -1)} : session
}

/** The last question, and the conversation before it. */
export function lastQuestion(
  session: ChatSession,
): {readonly question: SaidMessage; readonly before: ChatSession} | undefined {
  const at = session.messages.findLastIndex(({role}) => role === 'user')
  const question = session.messages[at]
  if (!question) return undefined
  return {question, before: {...session, messages: session.messages.slice(0, at)}}
}

/** The last answer, as far as it came. */
export const lastAnswer = (session: ChatSession): string | undefined =>
  session.messages.findLast(({role}) => role === 'assistant')?.content

/** The conversation as the API takes it. */
export function wireMessages({system, messages}: ChatSession) {
  const said = messages.map(({role, content, images}) =>
    images && images.length > 0 ? {role, content, images} : {role, content},
  )
  return system === undefined ? said : [{role: 'system' as const, content: system}, ...said]
}

/** The conversation for people. What was said is left as it is, Markdown of its own. */
export function asMarkdown(session: ChatSession): string {
  const {model, system, options, messages} = session
  const set = Object.entries(options).map(([name, value]) => `${name}=${JSON.stringify(value)}`)
  const head = [
    `# A conversation with ${model}`,
    ...(system === undefined ? [] : [`System message: ${system}`]),
    ...(set.length > 0 ? [`Options: ${set.join(', ')}`] : []),
  ]
  const said = messages.flatMap(({role, content, images, cancelled}) => [
    role === 'user' ? '## Question' : '## Answer',
    content,
    ...(images && images.length > 0 ? [`*${countOf(images.length, 'image')} shown*`] : []),
    ...(cancelled ? ['*cancelled here*'] : []),
  ])
  return `${[...head, ...said].join('\n\n')}\n`
}

const countOf = (count: number, what: string) => `${count} ${what}${count === 1 ? '' : 's'}`
