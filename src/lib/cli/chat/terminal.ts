/** Whether the terminal shows OSC 8 links. Few say so themselves; a multiplexer shows them only where all behind it do. */
export function linksOn(env: Readonly<NodeJS.ProcessEnv>): boolean {
  if (env.TMUX || /^(screen|tmux|dumb|linux)/.test(env.TERM ?? '')) return false
  if (env.KITTY_WINDOW_ID || env.WT_SESSION || env.KONSOLE_VERSION) return true
  if (/^(iTerm\.app|WezTerm|vscode|ghostty|Hyper)$/.test(env.TERM_PROGRAM ?? '')) return true
  return (
    Number(env.VTE_VERSION ?? 0) >= 5000 || /^(xterm-kitty|alacritty|foot)/.test(env.TERM ?? '')
  )
}

/** Whether lines that are too long for a new width are broken anew, as most terminals do; xterm and screen cut them. */
export function reflows(env: Readonly<NodeJS.ProcessEnv>): boolean {
  if (env.TMUX) return true
  return !env.XTERM_VERSION && !/^screen/.test(env.TERM ?? '')
}
