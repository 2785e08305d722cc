/**
 * Random histories of tree locks for any number of processes on one store, and the judge of what they left in it.
 *
 * A process runs `client` until it is told to stop; what drives the processes pauses and kills them as it likes. Every
 * commit made under a lock leaves an entry in a log in the store, in the same transaction and in the order of commits, so
 * that whoever held what is judged by the store's own order and by no clock: `judge` at the end.
 */
export { client, type ClientOptions, emptyTally, type Tally, tree } from "./lockChaos/client.ts"
export { judge, type Verdict } from "./lockChaos/judge.ts"
export { entries, type Entry } from "./lockChaos/log.ts"
export { leftOf, Rounds, roundsMax } from "./lockChaos/rounds.ts"
