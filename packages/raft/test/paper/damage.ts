/** Logs and damaged disks, for the tests of repair. */
import { encodeConfiguration, normalConfiguration } from "../../src/core/Configurations.ts"
import { makeEntry } from "../../src/core/Log.ts"
import { type DamagedRange, emptyRestored, type Entry, type Restored } from "../../src/core/Types.ts"
import { command } from "./kit.ts"

const configuration = encodeConfiguration(normalConfiguration({ voters: ["a", "b", "c"] }))

/** What a disk gives back that has lost these ranges of these entries. */
export const without = (entries: ReadonlyArray<Entry>, ranges: ReadonlyArray<DamagedRange>, commit = 1): Restored => {
  const last = entries[entries.length - 1] as Entry
  return {
    ...emptyRestored,
    hardState: { term: last.term, vote: undefined, commit, recoverTo: 0 },
    entries: entries.filter(({ index }) => !ranges.some(({ from, to }) => from <= index && index <= to)),
    damaged: ranges,
    tail: { index: last.index, term: last.term }
  }
}

export const log = (...terms: ReadonlyArray<number>): ReadonlyArray<Entry> =>
  terms.map((term, i) =>
    i === 0 ? makeEntry(1, term, "configuration", configuration) : command(i + 1, term, `${i + 1}/${term}`)
  )
