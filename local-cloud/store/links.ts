/** How the internet between two zones is, or inside one, where it is not perfect. */

import type { LinkPicture } from "../network/picture.ts";

export type LinkSettings = Omit<LinkPicture, "id" | "networks">;

export interface LinkRecord extends LinkSettings {
  readonly kind: "link";
  /** The zones joined by `-`. */
  readonly id: string;
  /** `""`: it is of no one zone. */
  readonly zone: "";
  readonly createTime: number;
}
