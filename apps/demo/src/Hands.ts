/**
 * How work is handed out: a tuple space of hands (some paths of one run) and of what came of them, and a tree of locks over
 * the paths. A worker takes a hand on trial, so that it goes back when the worker dies, and holds a read lock on its paths
 * for as long as it looks at the files; whoever moves files about takes a write lock.
 */
import * as Schema from "effect/Schema"
import * as Lock from "@weft/domain/Lock"
import * as StoreTupleSpace from "@weft/tuplespace/StoreTupleSpace"
import type { Listed } from "./Corpus.ts"

/** Times that a hand comes back from workers that died before its files are named as what kills them. */
export const RETURNS_MAX = 20

/** Files of one hand: a take and a lock are paid once for all of them. */
export const FILES_A_HAND_MAX = 8

/** Bytes after which a hand is full. */
const BYTES_A_HAND = 256 * 1024

/** How long a session outlives the last sign of its process. All processes of one store keep to the same. */
export const LEASE = "10 seconds"

const Hand = Schema.Tuple([Schema.Literal("hand"), Schema.String, Schema.Array(Schema.String)])
const Done = Schema.Tuple([Schema.Literal("done"), Schema.String, Schema.Int, Schema.Int, Schema.Int])

/** `["hand", run, paths]`, and `["done", run, files, words, returns]` of each hand. */
export const space = StoreTupleSpace.make("hands", { tuple: Schema.Union([Hand, Done]), returnsMax: RETURNS_MAX })

/** Locks on the paths of the texts. */
export const tree = Lock.make("texts")

/** One run at a time says what there is to do. */
export const office = Lock.make("office")

/** Cuts files into hands of neighbours; in the order in which they are handed out, the heaviest first, so that none is last. */
export const cut = (files: ReadonlyArray<Pick<Listed, "path" | "bytes">>, filesMax = FILES_A_HAND_MAX) => {
  const hands: Array<{ readonly paths: Array<string>; bytes: number }> = []
  let open: (typeof hands)[number] | undefined
  for (const { bytes, path } of files) {
    if (open === undefined || open.paths.length >= filesMax || open.bytes + bytes > BYTES_A_HAND) {
      open = { paths: [], bytes: 0 }
      hands.push(open)
    }
    open.paths.push(path)
    open.bytes += bytes
  }
  const heaviestFirst = hands.toSorted((a, b) => b.bytes - a.bytes)
  return heaviestFirst.map(({ paths }): ReadonlyArray<string> => paths)
}
