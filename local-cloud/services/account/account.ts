/** The one account of the local cloud. */
export const accountId = "usr-localcld";
