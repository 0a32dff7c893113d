// The page of jobs: follow them, and show local times.

import { localTimes } from "./times.js";
import "./jobs.js";

localTimes();
