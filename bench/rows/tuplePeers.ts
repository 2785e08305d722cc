/** What row 16 is measured beside: Rinda, the tuple space that comes with Ruby, and the least JavaScript that could match. */
import { spawnSync } from "node:child_process"
import { fileURLToPath } from "node:url"
import { cpuMillis, warmUp, type Measure, type Subject } from "../lib.ts"
import { must } from "./peers.ts"

/** Place at which the tuples that are held differ from those that come and go. */
export type Differs = 0 | 1

/** Tuples that stay in the space, of which the template `["job", "me", any]` matches none. */
export const others = (held: number, differs: Differs): ReadonlyArray<readonly [string, string, number]> =>
  Array.from({ length: held }, (_, i) => (differs === 0 ? [`other${i}`, "me", i] : ["job", `other${i}`, i]))

/** Whether Ruby and its tuple space are here. */
export const hasRinda = spawnSync("ruby", ["-r", "rinda/tuplespace", "-e", ""]).status === 0

const program = fileURLToPath(new URL("rinda.rb", import.meta.url))

/** `write` and `take` of `Rinda::TupleSpace`, in a Ruby process of its own. */
export const rinda = (held: number, differs: Differs): Subject => ({
  name: `Rinda write + take, in process, ${held} others held`,
  run: async (seconds) => {
    const { status, stderr, stdout } = spawnSync("ruby", [program, `${held}`, `${differs}`, `${seconds}`], {
      encoding: "utf8"
    })
    must(status === 0, `Rinda ended with exit code ${status}: ${stderr}`)
    return JSON.parse(stdout) as Measure
  }
})

/** Buckets by arity and first field, which stay when they are empty; one awaited turn a pair; nobody could wait. */
export const buckets: Subject = {
  name: "a plain map of buckets",
  run: async (seconds) => {
    const byKind = new Map<string, Set<ReadonlyArray<unknown>>>()
    const kindOf = (tuple: ReadonlyArray<unknown>): string => `${tuple.length}|${String(tuple[0])}`
    const out = (tuple: ReadonlyArray<unknown>): void => {
      const kind = kindOf(tuple)
      let bucket = byKind.get(kind)
      if (bucket === undefined) byKind.set(kind, (bucket = new Set()))
      bucket.add(tuple)
    }
    const take = (template: ReadonlyArray<unknown>): ReadonlyArray<unknown> | undefined => {
      const bucket = byKind.get(kindOf(template))
      if (bucket === undefined) return undefined
      for (const tuple of bucket) {
        if (!template.every((place, i) => place === undefined || place === tuple[i])) continue
        bucket.delete(tuple)
        return tuple
      }
      return undefined
    }
    let put = 0
    const pair = async (): Promise<void> => {
      out(["job", "me", put])
      null
      must(take(["job", "me", undefined])?.[2] === put++, "a tuple came out of turn")
    }
    const loop = async (until: number): Promise<number> => {
      const started = cpuMillis()
      let done = 0
      let now = started
      while (now - started < until * 1000) {
        for (let i = 0; i < 500; i++) await pair()
        done += 500
        now = cpuMillis()
      }
      return done / ((now - started) / 1000)
    }
    await loop(warmUp(seconds))
    return { value: await loop(seconds) }
  }
}
