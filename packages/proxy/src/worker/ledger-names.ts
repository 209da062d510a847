// Names that the main thread needs to close a lost worker's books.

export const requestsStarted = "heddle_requests_started_total";
export const requestsEnded = "heddle_requests_ended_total";
/** The worker ended while it had the request; only the main thread can still say so. */
export const lostOutcome = "worker_lost";
