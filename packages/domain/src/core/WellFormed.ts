/**
 * Texts that UTF-8 cannot hold. An encoder writes U+FFFD in the place of a lone surrogate, so what comes back would be another
 * text: values with one are refused. Pure.
 */

/** Whether the bytes hold a U+FFFD, as a text or by chance. Cost: a native search for the first of its three bytes. */
export const hasReplacement = (bytes: Uint8Array): boolean => {
  for (let at = bytes.indexOf(0xef); at !== -1; at = bytes.indexOf(0xef, at + 1)) {
    if (bytes[at + 1] === 0xbf && bytes[at + 2] === 0xbd) return true
  }
  return false
}

/** Where a text with a lone surrogate stands within a value; `undefined` where there is none. Looks into objects, arrays, Maps and Sets. */
export const illFormedAt = (value: unknown): string | undefined => find(value, "", new Set())

const find = (value: unknown, path: string, seen: Set<object>): string | undefined => {
  if (typeof value === "string") return value.isWellFormed() ? undefined : path
  if (typeof value !== "object" || value === null || ArrayBuffer.isView(value) || seen.has(value)) return undefined
  seen.add(value)
  const inner = value instanceof Map || value instanceof Set ? [...value] : value
  for (const [name, part] of Object.entries(inner)) {
    if (!name.isWellFormed()) return `${path}[a property's name]`
    const found = find(part, `${path}[${JSON.stringify(name)}]`, seen)
    if (found !== undefined) return found
  }
  return undefined
}
