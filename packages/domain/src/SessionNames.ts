/**
 * Names of sessions and engines: what one did once is known by its name ever after, so no two may share one, in all
 * processes and for all time.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"

/** 64 characters: six bits each. */
const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

/** Characters of a name: 132 random bits. */
const length = 22

/** From the platform's cryptographic source, whatever `Random` was seeded with. */
const unique: Effect.Effect<string> = Effect.sync(() =>
  Array.from(globalThis.crypto.getRandomValues(new Uint8Array(length)), (byte) => alphabet[byte & 63]!).join("")
)

/**
 * From Effect's `Random`: for simulations, which are to give the same names again. Two processes with one seed share their
 * names, and then take each other's commits for their own.
 */
export const fromRandom: Effect.Effect<string> = Effect.gen(function* () {
  let name = ""
  for (let i = 0; i < length; i++) name += alphabet[yield* Random.nextIntBetween(0, 64, { halfOpen: true })]!
  return name
})

/** Gives the next name. Default: the platform's cryptographic source. */
export const SessionNames = Context.Reference<Effect.Effect<string>>("@weft/domain/SessionNames", {
  defaultValue: () => unique
})
