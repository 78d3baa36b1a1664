/** What became of the requests to one endpoint, as the micro-service protocol of NATS tells it. */
export class RequestStatistics {
  #requests = 0;
  #errors = 0;
  #lastError = '';
  #processingNs = 0;

  /** Runs what answers one request. Rethrows what it throws. */
  measure<Result>(answer: () => Result): Result {
    const startedMs = performance.now();
    this.#requests++;
    try {
      return answer();
    } catch (error) {
      this.#errors++;
      this.#lastError = error instanceof Error ? error.message : String(error);
      throw error;
    } finally {
      this.#processingNs += Math.round((performance.now() - startedMs) * 1e6);
    }
  }

  /** Counts a request that is none, and gets no answer. */
  refused(reason: string): void {
    this.#requests++;
    this.#errors++;
    this.#lastError = reason;
  }

  toJSON() {
    return {
      num_requests: this.#requests,
      num_errors: this.#errors,
      last_error: this.#lastError,
      processing_time: this.#processingNs,
      average_processing_time: this.#requests === 0 ? 0 : Math.round(this.#processingNs / this.#requests),
    };
  }
}
