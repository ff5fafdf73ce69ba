/** The version of package.json; a test compares. */
export const version = "0.1.0";

/** What peers and trackers are told we are. */
export const clientVersion = `Freshet ${version}`;
