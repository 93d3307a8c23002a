import { action, text } from "../action.ts";

/** The id is the `userdata_value` of RunInstances with `userdata_type: tar`. */
export const UploadUserDataAttachment = action(
  "UploadUserDataAttachment",
  {
    /** base64 of a zip, tar, tgz or tbz archive of at most 2 MB. */
    attachment_content: text,
    attachment_name: text.optional(),
  },
  { attachment_id: text },
  ["attachment_content"],
  "POST",
);
