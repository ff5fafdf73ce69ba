import { CodedError, type ErrorInfo } from "#/base/errors.ts";

export const trackerErrorCodes = {
  TRACKER_BAD_URL: "a tracker's address is no URL, is too long, or names no host",
  TRACKER_UNSUPPORTED_SCHEME: "a tracker's URL has a scheme that is not http, https or udp",
  TRACKER_LOCAL_PATH: "a URL leads to a loopback or private address and its path does not end in /announce or /scrape",
  TRACKER_LOCAL_REDIRECT: "a public tracker redirects to a loopback or private address",
  TRACKER_BAD_REDIRECT: "a tracker redirects too often, to nowhere, from https to http, or to another protocol",
  TRACKER_HOST_NOT_FOUND: "the name of a tracker has no address of the wanted family",
  TRACKER_UNREACHABLE: "the connection to a tracker failed or broke",
  TRACKER_TIMEOUT: "a tracker did not answer in time",
  TRACKER_HTTP_STATUS: "a tracker answered with an HTTP status other than 200 and without a reason",
  TRACKER_ANSWER_TOO_LARGE: "a tracker's answer is larger than 1 MiB, as sent or after decompression",
  TRACKER_BAD_ANSWER: "a tracker's answer does not have the form that the protocol gives it",
  TRACKER_FAILURE: "a tracker refused a request and gave its reason",
  TRACKER_SCRAPE_UNSUPPORTED: "an announce URL has no scrape URL by the rule of BEP 48",
  TRACKER_BAD_REQUEST: "an announce or scrape has a member that is missing or out of range",
} as const;

export type TrackerErrorCode = keyof typeof trackerErrorCodes;

/** What goes wrong between a client and a tracker. */
export class TrackerError extends CodedError<TrackerErrorCode> {
  /** How long the tracker asks to be left alone, in seconds; Infinity for "never". BEP 31; HTTP Retry-After. */
  readonly retryInSeconds: number | undefined;

  constructor(code: TrackerErrorCode, message: string, info: ErrorInfo & { readonly retryInSeconds?: number | undefined }) {
    super(code, message, info);
    this.retryInSeconds = info.retryInSeconds;
  }
}

export function badAnswer(
  message: string,
  details: Readonly<Record<string, string | number | bigint>> = {},
  cause?: unknown,
): TrackerError {
  return new TrackerError("TRACKER_BAD_ANSWER", message, { fault: "remote", details, cause });
}
