/** SHA-256 over the dump of the index: equal for equal indexes, whatever made them. */
import { createHash } from "node:crypto"
import * as Effect from "effect/Effect"
import { dump } from "./Concordance.ts"

/** 64 hexadecimal digits. */
export const digest = Effect.gen(function* () {
  let hash = createHash("sha256")
  yield* dump(() => {
    hash = createHash("sha256")
    return (piece) => hash.update(piece)
  })
  return hash.digest("hex")
})
