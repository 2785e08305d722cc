/**
 * Who gets what, decided from what is there at one version: waiting takers by ticket, each its oldest fit that no earlier
 * taker would get. Pure; the store and the model checker run it over their own cells.
 *
 * Stamps compare as strings and order both tuples and tickets: smaller is older. Numbers in brackets are lines of the
 * algorithm in docs/TUPLES.md.
 */

interface Stamped {
  readonly stamp: string
}

/** What is there, as it is looked at. Lazy: a plan looks at no more than it needs. */
export interface Scene<W extends Stamped, F extends Stamped> {
  /** Tuples that fit a ticket, oldest first. */
  readonly fits: (ticket: W) => Iterable<F>
  /** The first in line whom a tuple fits, those of `except` left out. */
  readonly first: (tuple: F, except: ReadonlySet<string>) => W | undefined
}

/** What has changed since it was last looked at: only this can have made new pairs. */
export interface Fresh<W, F> {
  readonly tickets: Iterable<W>
  readonly tuples: Iterable<F>
}

export interface Pair<W, F> {
  readonly ticket: W
  readonly tuple: F
}

export interface Plan<W, F> {
  readonly pairs: ReadonlyArray<Pair<W, F>>
  /** Whether there may be more. */
  readonly isCut: boolean
}

/**
 * [12] Pairs that the fresh tickets and tuples make. A ticket gets its oldest fit, once those before it in line that fit that
 * tuple have theirs; so every pair is one that the sequential rule would make next, whatever was not looked at.
 */
export const plan = <W extends Stamped, F extends Stamped>(
  scene: Scene<W, F>,
  fresh: Fresh<W, F>,
  pairsMax: number
): Plan<W, F> => {
  const pairs: Array<Pair<W, F>> = []
  /** Tickets that have theirs, or for which nothing is there: nothing that comes later in this plan is for them. */
  const settled = new Set<string>()
  const given = new Set<string>()
  const oldest = (ticket: W): F | undefined => {
    for (const tuple of scene.fits(ticket)) if (!given.has(tuple.stamp)) return tuple
    return undefined
  }
  const serve = (asked: W): void => {
    // Those who have to be served first, the earliest last.
    const line = [asked]
    while (line.length > 0) {
      const ticket = line[line.length - 1]!
      const tuple = oldest(ticket)
      const first = tuple === undefined ? undefined : scene.first(tuple, settled)
      if (first !== undefined && first.stamp < ticket.stamp) {
        line.push(first)
        continue
      }
      line.pop()
      settled.add(ticket.stamp)
      if (tuple === undefined) continue
      given.add(tuple.stamp)
      pairs.push({ ticket, tuple })
    }
  }
  for (const ticket of fresh.tickets) {
    if (pairs.length >= pairsMax) return { pairs, isCut: true }
    if (!settled.has(ticket.stamp)) serve(ticket)
  }
  for (const tuple of fresh.tuples) {
    while (!given.has(tuple.stamp)) {
      if (pairs.length >= pairsMax) return { pairs, isCut: true }
      const first = scene.first(tuple, settled)
      if (first === undefined) break
      serve(first)
    }
  }
  return { pairs, isCut: false }
}

/** What stands of a pair when it is handed over. */
export interface Standing {
  /** What the taker's will says: it waits, it has a tuple, or the will is gone with its session or its cancel. */
  readonly will: "ticket" | "restore" | undefined
  readonly isTicketThere: boolean
  readonly isTupleThere: boolean
}

/**
 * [13] Whether a pair may be handed over. Nothing else is checked, and no range: what came later is younger than both, and
 * what was earlier and is gone does not matter.
 */
export const stands = ({ isTicketThere, isTupleThere, will }: Standing): boolean =>
  will === "ticket" && isTicketThere && isTupleThere

/**
 * [9] What a take that can wait gets at once: its oldest fit, unless somebody waits for that. Then it stands in line and gets
 * what the sequential rule gives it, which may be that tuple; a younger one that nobody waits for would be the wrong one.
 */
export const atOnce = <F>(fits: Iterable<F>, isAwaited: (tuple: F) => boolean): F | undefined => {
  for (const tuple of fits) return isAwaited(tuple) ? undefined : tuple
  return undefined
}

/** [9] The oldest fit that a passer-by may take: one that nobody waits for. */
export const free = <F>(fits: Iterable<F>, isAwaited: (tuple: F) => boolean): F | undefined => {
  for (const tuple of fits) if (!isAwaited(tuple)) return tuple
  return undefined
}

/**
 * [8] Whether a waiting reader sees a tuple that was put out or back by the commit at `version`, after it looked at
 * `snapshot`: then its own look did not show it, even when it is gone again by now.
 */
export const isNews = (version: number, snapshot: number): boolean => version > snapshot
