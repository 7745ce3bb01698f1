import type {ChatScreen, ChatScreenOptions} from '../tui/chat/open-chat.tsx'
import type {Mounted, MountOptions} from '../tui/progress.tsx'
import type {TopOptions, TopScreen} from '../tui/top/open-top.ts'

// The only file that imports from tui/: the bundle keeps a real import() here, because Ink cannot be
// CommonJS, and everything else is (docs/design/0001-startup.md).

/** Loads Ink (about 0.25 s) and shows live progress on a terminal until unmounted. */
export async function mountProgress(options: MountOptions): Promise<Mounted> {
  const progress = await import('../tui/progress.tsx')
  return progress.mountProgress(options)
}

/** Takes the terminal and paints `top` before Ink is loaded. */
export async function openTop(options: TopOptions): Promise<TopScreen> {
  const top = await import('../tui/top/open-top.ts')
  return top.openTop(options)
}

/** What tells changes as lines; draws nothing and loads no Ink. */
export function loadPlain(): Promise<typeof import('../tui/top/plain.ts')> {
  return import('../tui/top/plain.ts')
}

/** Loads Ink and takes the terminal for a chat until it is closed. */
export async function openChat(options: ChatScreenOptions): Promise<ChatScreen> {
  const chat = await import('../tui/chat/open-chat.tsx')
  return chat.openChat(options)
}
