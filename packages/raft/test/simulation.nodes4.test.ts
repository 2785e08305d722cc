/** Clusters of 4 nodes with all faults; thousands of seeds by `npm run simulate`. */
import { simulationSuite } from "../testing/sim/suite.ts"

simulationSuite("simulation of 4 nodes", { from: 1001, seeds: 60, overrides: { nodes: 4 } })
