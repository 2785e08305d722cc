/** Clusters of 3 nodes with all faults; thousands of seeds by `npm run simulate`. */
import { simulationSuite } from "../testing/sim/suite.ts"

simulationSuite("simulation of 3 nodes", { from: 1, seeds: 90, overrides: { nodes: 3 } })
