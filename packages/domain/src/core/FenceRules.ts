/**
 * What an outside resource has to remember of fencing tokens, and whom it lets pass. Pure.
 *
 * Two maxima, not one: of two who share a resource, with tokens 10 and 12, both are lawful, in any order; one maximum over
 * all tokens would refuse the first of them after the second.
 */

/** What a resource was last used for. */
export type Use = "read" | "write"

/** Greatest tokens seen of one resource, -1 for none. */
export interface Maxima {
  readonly write: number
  readonly read: number
}

export const none: Maxima = { write: -1, read: -1 }

/**
 * What to remember once a token was let pass, or `undefined`: it is stale. A write needs a token that no writer and no
 * reader has passed, a read one that no writer has passed; one's own token passes again.
 */
export const admit = (seen: Maxima, use: Use, token: number): Maxima | undefined => {
  if (token < seen.write) return undefined
  if (use === "read") return token > seen.read ? { ...seen, read: token } : seen
  if (token < seen.read) return undefined
  return token > seen.write ? { ...seen, write: token } : seen
}
