import {existsSync, statSync} from 'node:fs'
import {formatAge} from '../../cluster/format.ts'
import {nearest} from '../../cluster/nearest.ts'
import {roundSize} from '../../cluster/size.ts'
import {OllamaxError} from '../../errors.ts'
import {chatFile, listChats, readChatFile, writeChatFile} from '../../state/chats.ts'
import type {Paths} from '../../state/paths.ts'
import {type ChatSession, parseSession, writeSession} from '../chat-session.ts'
import {fileOf} from './attach.ts'
import {asMarkdown} from './turns.ts'

type Where = Pick<Paths, 'data'>

/** A name means one of ours; with a slash in it, or an end of `.json`, it is a path. */
const placeOf = (paths: Where, name: string) =>
  name.includes('/') || name.endsWith('.json') ? fileOf(name) : chatFile(paths, name)

/** A conversation that was saved. BAD_INPUT if there is none or it is none; STATE_IO. */
export function loadSession(paths: Where, name: string): ChatSession {
  const file = placeOf(paths, name)
  if (!existsSync(file)) {
    const near = nearest(
      name,
      listChats(paths).map((chat) => chat.name),
    )
    throw new OllamaxError('BAD_INPUT', `no conversation is saved as ${name}`, {
      suggestions: [
        ...(near ? [`did you mean ${near}?`] : []),
        '/sessions lists those that are saved',
      ],
    })
  }
  return parseSession(readChatFile(file))
}

/** Saves a conversation; says where. `known`: it may be replaced. BAD_INPUT, STATE_IO. */
export async function saveSession(
  paths: Where,
  session: ChatSession,
  {name, known}: {readonly name: string; readonly known: boolean},
): Promise<string> {
  const file = placeOf(paths, name)
  if (!known) refuseExisting(file, `/save ${name} --force`)
  await writeChatFile(file, writeSession(session))
  return file
}

/** Writes a conversation to a file of the user's; says where. BAD_INPUT for another ending, or a file that is there. */
export async function exportSession(
  session: ChatSession,
  {path, force}: {readonly path: string; readonly force: boolean},
): Promise<string> {
  const file = fileOf(path)
  const json = /\.json$/i.test(file)
  if (!json && !/\.(md|markdown)$/i.test(file))
    throw new OllamaxError('BAD_INPUT', `${path} ends neither in .md nor in .json`, {
      suggestions: ['/export talk.md', '/export talk.json'],
    })
  if (!force) refuseExisting(file, `/export ${path} --force`)
  await writeChatFile(file, json ? writeSession(session) : asMarkdown(session))
  return file
}

function refuseExisting(file: string, next: string): void {
  if (!statSync(file, {throwIfNoEntry: false})) return
  throw new OllamaxError('BAD_INPUT', `${file} is there already`, {
    suggestions: ['choose another name', `${next} replaces it`],
  })
}

/** What is saved, one line each. STATE_IO. */
export function describeSaved(paths: Where, nowMs: number): string {
  const chats = listChats(paths)
  if (chats.length === 0) return 'none is saved: /save NAME keeps this one'
  const width = Math.max(...chats.map(({name}) => name.length))
  return chats
    .map(
      ({name, savedMs, bytes}) =>
        `${name.padEnd(width)}  ${ageOf(nowMs - savedMs).padStart(8)}  ${roundSize(bytes)}`,
    )
    .join('\n')
}

const ageOf = (ms: number) => {
  const age = formatAge(ms)
  return age === 'now' ? age : `${age} ago`
}
