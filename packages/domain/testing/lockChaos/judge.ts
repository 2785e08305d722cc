/** Judges a log of what was done under locks. Pure. */
import * as Rules from "../../src/core/LockRules.ts"
import type { Entry } from "./log.ts"

export interface Verdict {
  readonly requests: number
  readonly commits: number
  /** Pairs of incompatible requests that stood on one node one after the other: what there was to get wrong. */
  readonly handovers: number
  /** Everything that is wrong, the first 20 of it; empty when all is right. */
  readonly wrong: ReadonlyArray<string>
}

/** What one request held without change: from its first commit under it to its last. */
interface Span {
  readonly entry: Entry
  readonly modes: ReadonlyMap<string, Rules.Mode>
  first: number
  last: number
}

const spansOf = (log: ReadonlyArray<Entry>): ReadonlyArray<Span> => {
  const spans: Array<Span> = []
  const open = new Map<string, Span>()
  for (const entry of log) {
    const known = open.get(entry.id)
    if (known !== undefined && known.entry.phase === entry.phase) known.last = entry.version
    else {
      const modes = new Map(entry.nodes.map(({ mode, node }) => [node, mode]))
      const span = { entry, modes, first: entry.version, last: entry.version }
      open.set(entry.id, span)
      spans.push(span)
    }
  }
  return spans
}

const areIncompatible = (a: Span, b: Span): boolean => {
  for (const [node, mode] of a.modes) {
    const other = b.modes.get(node)
    if (other !== undefined && !Rules.compatible(mode, other)) return true
  }
  return false
}

/**
 * 1. Spans of two incompatible requests do not overlap in the order of commits: nobody wrote while another held.
 * 2. A token is greater than every commit made under an incompatible lock before: fences are in the order of holding.
 * 3. No write found a greater token than its own.
 * 4. First come, first served: of two incompatible requests the one with the smaller stamp was granted first.
 */
export const judge = (log: ReadonlyArray<Entry>): Verdict => {
  const wrong: Array<string> = []
  for (const { id, stale, token } of log) {
    if (stale !== undefined) wrong.push(`${id} wrote with token ${token} after ${stale}`)
  }
  const spans = spansOf(log)
  const handovers = judgeSpans(spans, wrong)
  judgeOrder(
    spans.filter(({ entry }) => entry.phase === "granted"),
    wrong
  )
  return {
    requests: new Set(spans.map(({ entry }) => entry.id)).size,
    commits: log.length,
    handovers,
    wrong: wrong.slice(0, 20)
  }
}

const judgeSpans = (spans: ReadonlyArray<Span>, wrong: Array<string>): number => {
  let handovers = 0
  let active: Array<Span> = []
  /** By node and mode: the spans whose last commit is the latest, of two requests, since one's own do not count. */
  const latest = new Map<string, Array<Span>>()
  for (const span of spans) {
    const { id, phase, token } = span.entry
    active = active.filter(({ last }) => last >= span.first)
    for (const other of active) {
      if (other.entry.id === id || !areIncompatible(other, span)) continue
      wrong.push(`${id} committed at ${span.first} while ${other.entry.id} held until ${other.last}`)
    }
    for (const [node, mode] of span.modes) {
      for (const opposed of Rules.opposed[mode]!) {
        const before = latest.get(`${opposed} ${node}`)?.find(({ entry }) => entry.id !== id)
        if (before === undefined) continue
        handovers++
        // What is left of a downgraded lock keeps the token of its grant.
        if (phase !== "downgraded" && before.last >= token) {
          wrong.push(`${id} has token ${token}, but ${before.entry.id} held until ${before.last}`)
        }
      }
    }
    active.push(span)
    for (const [node, mode] of span.modes) {
      const place = `${mode} ${node}`
      const others = (latest.get(place) ?? []).filter(({ entry }) => entry.id !== id)
      latest.set(place, [...others, span].toSorted((a, b) => b.last - a.last).slice(0, 2))
    }
  }
  return handovers
}

const judgeOrder = (granted: ReadonlyArray<Span>, wrong: Array<string>): void => {
  const latest = new Map<string, Span>()
  for (const span of granted.toSorted((a, b) => (a.entry.stamp < b.entry.stamp ? -1 : 1))) {
    for (const [node, mode] of span.modes) {
      for (const opposed of Rules.opposed[mode]!) {
        const before = latest.get(`${opposed} ${node}`)
        if (before !== undefined && before.first > span.first) {
          wrong.push(`${span.entry.id} was granted before ${before.entry.id}, who asked earlier`)
        }
      }
    }
    for (const [node, mode] of span.modes) {
      const place = `${mode} ${node}`
      const before = latest.get(place)
      if (before === undefined || before.first < span.first) latest.set(place, span)
    }
  }
}
