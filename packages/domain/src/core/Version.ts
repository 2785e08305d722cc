/**
 * Versions: where a commit stands in the one order of a namespace. Pure.
 *
 * A version is the pair (epoch, number) packed into one safe integer, `epoch * 2^43 + number`, so that comparing two
 * versions is comparing two numbers, also across epochs, and a version costs no object. `none` (0) is the version of a
 * cell that was never written.
 *
 * Limits: 2^43 - 1 numbers an epoch (101 days at a million commits a second; then the next epoch begins by itself) and
 * 2^10 epochs.
 */

/** (epoch, number) packed as `epoch * 2^43 + number`; 0 for a cell that was never written. */
export type Version = number

/** Greatest number within one epoch. */
export const numberMax = 2 ** 43 - 1

/** Greatest epoch. */
export const epochMax = 2 ** 10 - 1

/** The version of a cell that was never written, and of an empty store. */
export const none: Version = 0

const unit = 2 ** 43

/** Packs an epoch and a number. Throws `RangeError` outside `epochMax` and `numberMax`. */
export const make = (epoch: number, number: number): Version => {
  if (!(Number.isInteger(epoch) && epoch >= 0 && epoch <= epochMax)) {
    throw new RangeError(`epoch ${epoch} is not an integer of 0 to ${epochMax}`)
  }
  if (!(Number.isInteger(number) && number >= 0 && number <= numberMax)) {
    throw new RangeError(`commit number ${number} is not an integer of 0 to ${numberMax}`)
  }
  return epoch * unit + number
}

/** The epoch: raised whenever a store may have lost acknowledged commits. */
export const epochOf = (version: Version): number => Math.floor(version / unit)

/** The number within the epoch: rises by one per successful request that writes. */
export const numberOf = (version: Version): number => version % unit

/** The version after `version`. At the end of an epoch's numbers it is the first of the next epoch, which is sound. */
export const next = (version: Version): Version => version + 1

/** The last version *before* the first commit of the epoch after `version`'s: what a store that lost commits restarts at. */
export const nextEpoch = (version: Version): Version => make(epochOf(version) + 1, 0)

/** For people: `17` in epoch 0, `2:17` in later ones. */
export const format = (version: Version): string =>
  epochOf(version) === 0 ? String(version) : `${epochOf(version)}:${numberOf(version)}`
