/**
 * Text that came from elsewhere, made safe for a terminal: line breaks stay, tabs become spaces, and every other control
 * character goes, ESC and the C1 ones among them. So does what turns the direction of writing around, because with it a
 * command can look like another one. Stateless: pieces cleaned one by one are the whole cleaned at once.
 */
export function clean(text: string): string {
  return text.replaceAll('\t', '    ').replace(FOREIGN, '')
}

const FOREIGN = /[^\P{Cc}\n]|[\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff]/gu
