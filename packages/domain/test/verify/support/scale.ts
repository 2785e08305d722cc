/** How large a check runs and from which seed: `WEFT_SCALE=full` for the full size, `WEFT_SEED=n` to replay. */

/** True for the full size of issue 3's "done when". */
export const full: boolean = process.env["WEFT_SCALE"] === "full"

/** The short size, or the full one by `WEFT_SCALE=full`. */
export const scale = (short: number, whole: number): number => (full ? whole : short)

/** The seed of a random check: `WEFT_SEED` when given, else the check's own. Print it with every failure. */
export const seedOf = (own: number): number => Number(process.env["WEFT_SEED"] ?? own)

/** How to run this check again. */
export const replay = (file: string, seed: number): string =>
  `replay: WEFT_SEED=${seed}${full ? " WEFT_SCALE=full" : ""} npx vitest run packages/domain/test/verify/${file}`
